# SPDX-License-Identifier: MIT
"""The Chinese catalogues: what docs/locale/zh_CN/complete.txt lists is complete.

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

LOCALE = site_support.DOCS / 'locale' / 'zh_CN'
CATALOGUES = LOCALE / 'LC_MESSAGES'
LINE = re.compile(r'(?:(msgid|msgstr) )?(".*")')
MARKUP = re.compile(r'``(?P<literal>.+?)``|(?P<role>:[\w:+-]+:)`(?P<content>[^`]+)`'
                    r'|\*\*.+?\*\*|(?<!\\)\*.+?\*')
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


def complete():
    lines = (LOCALE / 'complete.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


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
    if unrecognised(entry.translation):
        yield f'not recognised: {unrecognised(entry.translation)}'
    if entry.translation == entry.source and len(re.findall(r'\b[A-Za-z]{2,}\b', plain)) > 1:
        yield 'not translated'
    if HALF_WIDTH.search(plain):
        yield f'punctuation of half width: {HALF_WIDTH.search(plain)[0]}'


class Catalogues(unittest.TestCase):
    def test_complete_pages_are(self):
        self.assertGreaterEqual(len(complete()), 10)
        for page in complete():
            texts = catalogue(page)
            self.assertGreater(len(texts), 0, page)
            for entry in texts:
                with self.subTest(page, text=entry.source):
                    self.assertEqual(list(faults(entry)), [])

    def test_every_complete_page_is_a_page(self):
        pages = {name.removesuffix('.rst') for name, _ in site_support.pages()}
        self.assertEqual(set(complete()) - pages, set())
        self.assertEqual(len(set(complete())), len(complete()))

    def test_no_catalogue_is_without_a_page(self):
        """`sphinx` has the words of the theme, `player` those of the lessons' players."""
        pages = {name.removesuffix('.rst') for name, _ in site_support.pages()}
        kept = {str(path.relative_to(CATALOGUES).with_suffix(''))
                for path in CATALOGUES.rglob('*.po')}
        self.assertEqual(kept - pages, {'sphinx', 'player'})

    def test_the_rest_keeps_what_it_has_of_markup(self):
        for path in sorted(CATALOGUES.rglob('*.po')):
            for entry in entries(path.read_text()):
                if entry.translation:
                    with self.subTest(path.stem, text=entry.source):
                        self.assertEqual(unrecognised(entry.translation), [])


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
            for page in complete():
                template = pathlib.Path(folder, 'out', f'{page}.pot').read_text()
                now = [entry.source for entry in entries(template)]
                with self.subTest(page):
                    self.assertEqual([entry.source for entry in catalogue(page)], now)


if __name__ == '__main__':
    unittest.main()
