# SPDX-License-Identifier: MIT
"""The Chinese catalogues are complete: every page of the site, and what it says besides.

A translation keeps the links and the code of its text, and rst recognises them where they
touch Chinese: there are no blanks, and rst wants one or a punctuation mark.  Whether the
catalogues have the texts of the pages as they are now is asked with --thorough only.
"""

import ast
import collections
import pathlib
import re
import subprocess
import tempfile
import unicodedata
import unittest

import site_support

CATALOGUES = site_support.DOCS / 'locale' / 'zh_CN' / 'LC_MESSAGES'
BESIDE_PAGES = {'sphinx', 'player'}  # the words of the theme, those of the lessons' players
LINE = re.compile(r'(?:(msgid|msgstr) )?(".*")')
MARKUP = re.compile(r'``(?P<literal>.+?)``|(?P<role>:[\w:+-]+:)`(?P<content>[^`]+)`'
                    r'|\*\*.+?\*\*|(?<!\\)\*.+?\*')
PLACE = re.compile(r'\{\d*\}')  # of a figure, or of what the player names
HAN = r'[\u4e00-\u9fff]'
HALF_WIDTH = re.compile(rf'{HAN}[,;:?!()"]|[,;:?!()"]{HAN}')
BEFORE = '\'"([{<-/:', {'Ps', 'Pi', 'Pf', 'Pd', 'Po'}
AFTER = '\'")]}>-/\\:.,;!?', {'Pe', 'Pi', 'Pf', 'Pd', 'Po'}

Entry = collections.namedtuple('Entry', 'source translation is_fuzzy')


def entries(text):
    """A catalogue's entries but its header; what is commented out is passed over."""
    found, fields, flags, name = [], {}, '', None
    for line in [*text.splitlines(), '']:
        match = LINE.fullmatch(line)
        if match:
            name = match[1] or name
            fields[name] = fields.get(name, '') + ast.literal_eval(match[2])
        elif line.startswith('#,'):
            flags += line
        elif not line and fields:
            found.append(Entry(fields['msgid'], fields['msgstr'], 'fuzzy' in flags))
            fields, flags = {}, ''
    return [entry for entry in found if entry.source]


def catalogue(page):
    return entries((CATALOGUES / f'{page}.po').read_text())


def pages():
    return {name.removesuffix('.rst') for name, _ in site_support.pages()}


def catalogues():
    return {str(path.relative_to(CATALOGUES).with_suffix('')): path
            for path in sorted(CATALOGUES.rglob('*.po'))}


def target(content):
    """What a role points to: of `title <target>` the latter."""
    match = re.fullmatch(r'.*<(.+)>', content)
    return match[1] if match else content


def targets(text):
    """How often each literal and each target of a role is in a text."""
    return collections.Counter(
        (match['role'] or 'literal', match['literal'] or target(match['content']))
        for match in MARKUP.finditer(text) if match['literal'] or match['role'])


def is_bound(character, bounds):
    marks, categories = bounds
    return (not character or character.isspace() or character in marks
            or not character.isascii() and unicodedata.category(character) in categories)


def unrecognised(text):
    """The inline markup that rst takes for plain text because of its neighbours."""
    return [match[0] for match in MARKUP.finditer(text)
            if not is_bound(text[:match.start()][-1:], BEFORE)
            or not is_bound(text[match.end():][:1], AFTER)]


def faults(entry):
    """What is wrong with a translation."""
    plain = MARKUP.sub('', entry.translation)
    if not entry.translation or entry.is_fuzzy:
        yield 'empty or fuzzy'
        return
    if targets(entry.source) != targets(entry.translation):
        yield 'other code or links than the text'
    if len(PLACE.findall(entry.source)) != len(PLACE.findall(entry.translation)):
        yield 'other places than the text'
    if unrecognised(entry.translation):
        yield f'not recognised: {unrecognised(entry.translation)}'
    if entry.translation == entry.source and len(re.findall(r'\b[A-Za-z]{2,}\b', plain)) > 1:
        yield 'not translated'
    if HALF_WIDTH.search(plain):
        yield f'punctuation of half width: {HALF_WIDTH.search(plain)[0]}'


class Catalogues(unittest.TestCase):
    def test_every_page_has_one(self):
        self.assertEqual(set(catalogues()), pages() | BESIDE_PAGES)

    def test_they_are_complete(self):
        for name in catalogues():
            texts = catalogue(name)
            self.assertGreater(len(texts), 0, name)
            for entry in texts:
                with self.subTest(name, text=entry.source):
                    self.assertEqual(list(faults(entry)), [])

    def test_nothing_obsolete_is_kept(self):
        for name, path in catalogues().items():
            with self.subTest(name):
                self.assertNotRegex(path.read_text(), r'(?m)^#~')

    def test_no_figure_is_to_be_translated(self):
        """What ./run bench publishes next has other figures, and the same texts."""
        published = (site_support.DOCS / 'benchmarks' / 'figures.rst').read_text()
        lines = {line.strip().removeprefix('* ').removeprefix('- ')
                 for line in published.splitlines()}
        for entry in catalogue('benchmarks'):
            if entry.source in lines:
                with self.subTest(entry.source):
                    self.assertNotRegex(entry.source, r'(?<![\w/])\d|selkie/')


class TheTestItself(unittest.TestCase):
    """That it sees what it is for."""

    def check(self, source, translation, fault, is_fuzzy=False):
        found = list(faults(Entry(source, translation, is_fuzzy)))
        self.assertEqual(len(found), 1, found)
        self.assertIn(fault, found[0])

    def test_it_sees_faults(self):
        self.check('It waits.', '', 'empty')
        self.check('It waits.', '它等待。', 'fuzzy', is_fuzzy=True)
        self.check('It calls ``poll``.', '它调用 poll。', 'other code')
        self.check('See :doc:`a`.', '见 :doc:`b`。', 'other code')
        self.check('{} of {}', '{} 个', 'other places')
        self.check('It calls ``poll``.', '它调用``poll``。', 'not recognised')
        self.check('It *waits*.', '它在*等待*。', 'not recognised')
        self.check('It waits.', 'It waits.', 'not translated')
        self.check('It waits, then reads.', '它先等待,再读取。', 'half width')

    def test_it_takes_what_is_right(self):
        for source, translation in (
                ('It calls ``poll``.', '它调用 ``poll``。'), ('``poll``', '``poll``'),
                ('See :doc:`that <a>`.', '见\\ :doc:`那里 <a>`。'),
                ('selkie', 'selkie'), ('echo_server', 'echo_server'),
                ('"**Now**": it ``*``', '“**现在**”：它 ``*``')):
            with self.subTest(translation):
                self.assertEqual(list(faults(Entry(source, translation, False))), [])

    def test_it_reads_catalogues(self):
        text = ('#\nmsgid ""\nmsgstr ""\n"Language: zh_CN\\n"\n\n'
                'msgid ""\n"one "\n"\\"two\\""\nmsgstr "一二"\n\n'
                '#, fuzzy\nmsgid "three"\nmsgstr "四"\n\n'
                '#~ msgid "old"\n#~ msgstr "旧"\n')
        self.assertEqual(entries(text), [Entry('one "two"', '一二', False),
                                         Entry('three', '四', True)])


@unittest.skipUnless(site_support.is_thorough, 'only with --thorough')
class Pages(unittest.TestCase):
    """The catalogues against the texts that Sphinx finds in the pages now."""

    def setUp(self):
        command = ['/usr/bin/python3', '-c', 'import furo, sphinx']
        if subprocess.run(command, stderr=subprocess.DEVNULL, timeout=60).returncode != 0:
            self.skipTest('there is no Sphinx')

    def test_catalogues_have_the_texts_of_the_pages(self):
        with tempfile.TemporaryDirectory() as folder:
            site_support.run('/usr/bin/python3', '-m', 'sphinx', '-q', '-b', 'gettext',
                             '-c', site_support.SITE, '-d', f'{folder}/doctrees',
                             site_support.DOCS, f'{folder}/out')
            for page in sorted(pages()):
                template = pathlib.Path(folder, 'out', f'{page}.pot').read_text()
                now = [entry.source for entry in entries(template)]
                with self.subTest(page):
                    self.assertCountEqual([entry.source for entry in catalogue(page)], now)


if __name__ == '__main__':
    unittest.main()
