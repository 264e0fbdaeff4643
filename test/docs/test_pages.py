# SPDX-License-Identifier: MIT
"""What the pages say: no pasted code, no dead link, no name forgotten, no typo.

This looks at the sources; test_site.py looks at what is made of them.
"""

import asyncio
import re
import select
import selectors
import shutil
import sys
import unittest

import site_support

import sources  # of docs/site/_ext

CODE = re.compile(r'^( *)\.\. (?:code-block|code|sourcecode)::[ \t]*(\S*)\n(?:\1 +:.*\n)*\n?'
                  r'((?:\1   .*\n|\s*\n)*)', re.M)
LITERAL = re.compile(r'^( *)(?! |\.\. )(?:.*[^:\s])?::\n\n((?:\1   .*\n|\s*\n)+)', re.M)
LISTING = re.compile(r'^ *\.\. (listing|side-by-side):: (.+)\n((?: +:.*\n)*)', re.M)
MOST_LINES = 12  # of a block that shows commands
LESSON_PARTS = ('The programs', 'What happens', 'What has changed', 'What goes wrong', 'Exercises')
FIRST_PARTS = ('The programs', 'What goes wrong, and what mends it', 'What happens',
               'What has changed', 'Exercises')  # of those that begin with demo/first
NEWEST_PYTHON = (3, 14)  # whose names docs/dictionary.rst has
FIRST = {1: 'blocking', 2: 'select', 4: 'poll', 5: 'epoll', 7: 'selectors'}  # in which lesson
LOOP_CALLS = re.compile(r'call_|add_|remove_|run_|is_|stop|close|time|set_d|get_d|shutdown_d')


def lines_of(block):
    return [line.strip() for line in block.splitlines() if line.strip()]


def options_of(text):
    return {name: value for name, value in re.findall(r':([\w-]+): *(.*)', text)}


class Listings(unittest.TestCase):
    def test_code_comes_from_files(self):
        """What is written in a page itself are short commands and what they print."""
        for name, text in site_support.pages():
            for _, language, block in CODE.findall(text):
                lines = lines_of(block)
                with self.subTest(name, block=lines[:2]):
                    self.assertEqual(language, 'console')
                    self.assertTrue(lines[0].startswith('$ '))
                    self.assertLessEqual(len(lines), MOST_LINES)

    def test_literal_blocks_are_those_of_the_manual(self):
        for name, text in site_support.pages():
            for _, block in LITERAL.findall(text):
                lines = lines_of(block)
                with self.subTest(name, block=lines[:2]):
                    self.assertTrue(name.startswith('man/'))
                    self.assertRegex(lines[0], r'\$ |#include <selkie\.h>$')
                    self.assertLessEqual(len(lines), MOST_LINES)

    def test_the_test_would_see_a_pasted_listing(self):
        pasted = 'Text\n\n.. code-block:: c\n\n   int main(void);\n\nMore::\n\n   code\n\n'
        self.assertEqual([found[1] for found in CODE.findall(pasted)], ['c'])
        self.assertEqual(len(LITERAL.findall(pasted)), 1)

    def test_every_listing_names_what_is_there(self):
        count = 0
        for name, text in site_support.pages():
            for directive, arguments, options in LISTING.findall(text):
                options = options_of(options)
                for old, new in zip(options.get('from', '').split(), arguments.split()):
                    with self.subTest(name, old=old, new=new):
                        self.assertTrue(sources.difference(old, new))
                for file, side in zip(arguments.split(), ('c', 'python')):
                    names = options.get('take' if directive == 'listing' else side, '')
                    part = options.get('part' if directive == 'listing' else f'{side}-part')
                    with self.subTest(name, file=file):
                        self.assertTrue(sources.take(file, names.split(), part))
                    count += 1
        self.assertGreater(count, 30)


class Links(unittest.TestCase):
    def test_pages_exist(self):
        for name, text in site_support.pages():
            folder = (site_support.DOCS / name).parent
            for target in re.findall(r':doc:`(?:[^`<]*<)?([^`>]+)>?`', text):
                base = site_support.DOCS if target.startswith('/') else folder
                with self.subTest(name, target=target):
                    self.assertTrue((base / (target.lstrip('/') + '.rst')).exists())

    def test_files_exist(self):
        for name, text in site_support.pages():
            for target in re.findall(r':source:`(?:[^`<]*<)?([^`>]+)>?`', text):
                with self.subTest(name, target=target):
                    self.assertTrue((site_support.TOP / target).is_file())

    def test_pictures_and_transcripts_exist(self):
        for name, text in site_support.pages():
            for kind, target in re.findall(r'\.\. (transcript|timeline)::\s+(\S+)', text):
                with self.subTest(name, target=target):
                    self.assertTrue(list((site_support.DOCS / f'{kind}s').glob(f'{target}*')))


class Lessons(unittest.TestCase):
    """Each has all that a lesson is made of."""

    def setUp(self):
        self.lessons = [(name, text) for name, text in site_support.pages()
                        if re.match(r'lessons/\d\d-', name)]
        self.assertEqual(len(self.lessons), 21)

    def test_a_question_comes_first(self):
        for name, text in self.lessons:
            with self.subTest(name):
                self.assertRegex(text, r'^\d+\. .*\n=+\n\n\*\*.*\?\*\*\n\n')

    def test_what_is_shown(self):
        for name, text in self.lessons:
            for directive in ('side-by-side', 'transcript', 'timeline'):
                with self.subTest(name, directive=directive):
                    self.assertRegex(text, rf'(?m)^\.\. {directive}:: \S')

    def test_the_parts(self):
        for name, text in self.lessons:
            text = text.replace('What is new', 'What has changed')  # the first lesson's
            titles = re.findall(r'^(.+)\n---+$', text, re.M)
            parts = FIRST_PARTS if 'demo/first/' in text else LESSON_PARTS
            with self.subTest(name):
                self.assertEqual([title for title in titles
                                  if title in LESSON_PARTS + FIRST_PARTS], list(parts))

    def test_the_first_server_grows(self):
        """It is shown whole, and from its second time on with what differs from the last."""
        last = None
        for number, program in FIRST.items():
            name, text = self.lessons[number - 1]
            pair = f'demo/first/{program}.c docs/twins/first/{program}_server.py'
            shown = re.findall(rf'^\.\. side-by-side:: {re.escape(pair)}\n(?:   :from: (.*)\n)?',
                               text, re.M)
            with self.subTest(name):
                self.assertEqual(shown, ['', last] if last else [''])
            last = pair

    def test_every_exercise_has_an_answer(self):
        for name, text in self.lessons:
            exercises = text.split('.. exercise::')[1:]
            with self.subTest(name):
                self.assertGreater(len(exercises), 0)
                self.assertEqual([e.count('.. answer::') for e in exercises],
                                 [1] * len(exercises))


@unittest.skipIf(sys.version_info[:2] > NEWEST_PYTHON, 'a newer Python than the dictionary')
class Dictionary(unittest.TestCase):
    """docs/dictionary.rst has every name, whichever Python it is asked of."""

    @classmethod
    def setUpClass(cls):
        cls.text = (site_support.DOCS / 'dictionary.rst').read_text()

    def has(self, names):
        self.assertEqual([n for n in names if not re.search(rf'\b{n}\b', self.text)], [])

    def test_it_says_how_far_it_goes(self):
        self.assertIn('up to Python {}.{}.'.format(*NEWEST_PYTHON), self.text)

    def test_of_selectors(self):
        own = [name for name, value in vars(selectors).items() if not name.startswith('_')
               and (getattr(value, '__module__', '') == 'selectors' or name.startswith('EVENT'))]
        self.assertIn('DefaultSelector', own)
        self.has(own)
        self.has([n for n in dir(selectors.BaseSelector) if not n.startswith('_')])
        self.has(selectors.SelectorKey._fields)

    def test_of_select(self):
        self.has([n for n in dir(select) if not n.startswith('_')])
        self.has([n for n in [*dir(select.epoll), *dir(select.poll())]
                  if not n.startswith('_')])

    def test_of_asyncios_loop(self):
        calls = [n for n in dir(asyncio.AbstractEventLoop) if LOOP_CALLS.match(n)]
        self.assertIn('call_soon', calls)
        self.has(calls)
        self.has([n for n in dir(asyncio.TimerHandle) if not n.startswith('_')])

    def test_names_that_came_after_the_oldest_python(self):
        """They are asked for on every machine, not on those with a newer Python alone."""
        self.has(['get_context', 'EPOLLWAKEUP'])


class Words(unittest.TestCase):
    @unittest.skipUnless(shutil.which('codespell'), 'there is no codespell')
    def test_spelling(self):
        files = [*site_support.DOCS.rglob('*.rst'), *(site_support.SITE / '_ext').glob('*.py'),
                 *site_support.TOP.glob('*.md'), *(site_support.TOP / 'include').rglob('*.h')]
        site_support.run('codespell', '--ignore-words',
                         site_support.SITE / 'codespell-ignore.txt', *sorted(files))

    def test_programs_have_pages_that_say_what_help_says(self):
        for path in sorted((site_support.DOCS / 'man').glob('*.rst')):
            text = path.read_text()
            if not text.startswith(':manual: 1 '):
                continue
            help_text = site_support.run(site_support.program(path.stem), '--help')
            said = re.findall(r'^  (-\w), (--[\w-]+)(?: ([A-Z]+))? ', help_text, re.M)
            page = re.findall(r'^``(-\w)``, ``(--[\w-]+)``(?: \*([A-Z]+)\*)?$', text, re.M)
            with self.subTest(path.stem):
                self.assertGreater(len(said), 4)
                self.assertEqual(page, said)

    def test_the_claims_are_what_the_program_found(self):
        """Whether there is an io_uring is the machine's."""
        def comparable(text):
            return [line for line in text.splitlines() if 'io_uring' not in line]

        found = site_support.run(site_support.program('claims'))
        kept = (site_support.DOCS / 'transcripts' / 'claims.txt').read_text()
        self.assertEqual(comparable(kept), comparable(found))


if __name__ == '__main__':
    unittest.main()
