#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The index from each sentence of the public headers to its tests is whole and true.

Each header has a file of its name here.  In it stand, in the header's order, what the
sentences are about in brackets, each sentence at the beginning of a line, and indented
below it at least one of

    suite: test                     START_TEST(test) in the suite.c of a room of test/
    directory/file.py: test         a method of that file's test cases
    syscalls: call                  a rule of test/selector/syscalls.py
    torture: scenario               of test/torture
    definition: why                 nothing is promised that a test could find broken

A sentence may be wrapped.  `Python:`, `From:` and `Since` say where a name comes from and
are left out.
"""

import pathlib
import re
import textwrap
import unittest

import sentences

HERE = pathlib.Path(__file__).resolve().parent
TEST = HERE.parent
ROOMS = ('selector', 'reactor', 'uv', 'debug')  # that hold suites
FEW = 20  # definitions
REAL = ('waits', 'no_wait_is_early_by_a_nanosecond')


def index_of(header):
    return HERE / (pathlib.PurePath(header).stem + '.txt')


def parse(text):
    """[(Sentence, its tests)] of an index file."""
    entries, name, words = [], '', []
    for line in text.splitlines():
        if line.startswith('#') or not line.strip():
            continue
        if not line.startswith(' '):
            heading = re.fullmatch(r'\[(.+)\]', line)
            name = heading[1] if heading else name
            words += [] if heading else [line]
            continue
        if words:
            entries.append((sentences.Sentence(name, ' '.join(words)), []))
            words = []
        suite, _, test = line.strip().partition(': ')
        entries[-1][1].append((suite, test))
    if words:
        entries.append((sentences.Sentence(name, ' '.join(words)), []))
    return entries


def write(entries):
    """An index file's text, from what parse() gives."""
    lines, name = [], None
    for sentence, tests in entries:
        if sentence.about != name:
            name = sentence.about
            lines += ['', f'[{name}]']
        lines += textwrap.wrap(sentence.text, 90, break_long_words=False,
                               break_on_hyphens=False)
        lines += [f'    {suite}: {test}' for suite, test in tests]
    return '\n'.join(lines[1:]) + '\n'


def names_in(path, pattern):
    text = path.read_text() if path.exists() else ''
    return set(re.findall(pattern, text, re.MULTILINE))


def tests_of(suite):
    """The names of the tests of a suite, as the sources have them."""
    if suite.endswith('.py'):
        return names_in(TEST / suite, r'^    def (test_\w+)\(self')
    if suite == 'syscalls':
        return names_in(TEST / 'selector' / 'syscalls.py', r'^    "(.*)": \w+,$')
    if suite == 'torture':
        return set().union(*(names_in(path, r'^    \{"(\w+)", \w+\},$')
                             for path in (TEST / 'torture').glob('scenarios_*.c')))
    path = next((TEST / room / f'{suite}.c' for room in ROOMS
                 if (TEST / room / f'{suite}.c').exists()), TEST / f'{suite}.c')
    added = names_in(path, r'add\w*_test(?:_between)?\(\s*\w+,\s*(\w+)')
    return names_in(path, r'^START_TEST\((\w+)\)') & added


def compare(promised, entries):
    """What is wrong between a header's sentences and its index, as lines."""
    indexed = [sentence for sentence, _ in entries]
    wrong = [f'not in the index: [{s.about}] {s.text}'
             for s in promised if s not in indexed]
    wrong += [f'in no header: [{s.about}] {s.text}' for s in indexed if s not in promised]
    if not wrong and indexed != promised:
        wrong.append('the sentences are not in the order of the header')
    wrong += [f'no test: [{s.about}] {s.text}' for s, tests in entries if not tests]
    for suite, test in {test for _, tests in entries for test in tests}:
        if suite == 'definition':
            wrong += [] if test else ['a definition without a word why']
        elif test not in tests_of(suite):
            wrong.append(f'there is no test {suite}: {test}')
    return wrong


def read(header, path, added=''):
    text = path.read_text() + added
    return sentences.promises(sentences.extract(text, header)), parse(
        index_of(header).read_text())


class Index(unittest.TestCase):
    def test_each_sentence_has_tests_and_each_test_is_there(self):
        for header, path in sentences.headers().items():
            with self.subTest(header):
                wrong = compare(*read(header, path))
                self.assertEqual(wrong, [], '\n' + '\n'.join(wrong))

    def test_each_index_is_of_a_header(self):
        files = {index_of(header) for header in sentences.headers()}
        self.assertEqual(set(HERE.glob('*.txt')), files)

    def test_definitions_are_few(self):
        found = [tests for header, path in sentences.headers().items()
                 for _, tests in read(header, path)[1] if tests[0][0] == 'definition']
        self.assertLessEqual(len(found), FEW)


class Itself(unittest.TestCase):
    """What would have to be reported is."""

    def setUp(self):
        self.header = 'selkie/selectors.h'
        self.path = sentences.headers()[self.header]
        self.promised, _ = read(self.header, self.path)
        self.entries = [(sentence, [REAL]) for sentence in self.promised]
        self.assertEqual(compare(self.promised, self.entries), [])

    def test_a_sentence_that_was_added(self):
        for added in ('/*\n * It sings.\n */\nint sel_sing(void);\n',
                      '/*\n * Errors: -EIO  mute\n *         -EIO  it sings\n */\n'):
            promised, entries = read(self.header, self.path, added)
            self.assertTrue(any('not in the index' in line and 'it sings' in line.lower()
                                for line in compare(promised, entries)))

    def test_a_sentence_that_went(self):
        wrong = compare(self.promised[:-1], self.entries)
        self.assertEqual(len(wrong), 1)
        self.assertIn('in no header', wrong[0])

    def test_a_word_that_changed(self):
        text = self.path.read_text()
        self.assertIn('The wait is never early', text)
        text = text.replace('The wait is never early', 'The wait is seldom early')
        promised = sentences.promises(sentences.extract(text, self.header))
        self.assertEqual(len(compare(promised, self.entries)), 2)

    def test_sentences_that_changed_places(self):
        self.entries[-1], self.entries[-2] = self.entries[-2], self.entries[-1]
        self.assertIn('order', compare(self.promised, self.entries)[0])

    def test_a_test_that_is_not_there(self):
        for suite in ('waits', 'no_such_suite', 'python/test_servers.py', 'syscalls'):
            self.entries[0] = (self.entries[0][0], [(suite, 'no_such_test')])
            self.assertEqual(compare(self.promised, self.entries),
                             [f'there is no test {suite}: no_such_test'])

    def test_a_sentence_without_a_test(self):
        self.entries[0] = (self.entries[0][0], [])
        self.assertIn('no test', compare(self.promised, self.entries)[0])

    def test_what_is_written_is_what_was_read(self):
        self.assertEqual(parse(write(self.entries)), self.entries)


class Splitting(unittest.TestCase):
    def check(self, comment, *expected):
        text = f'/* This file. */{comment}\nint sel_x(void);'
        found = sentences.promises(sentences.extract(text, 'x.h'))
        self.assertEqual([s.text for s in found[1:]], list(expected))

    def test_sentences_end_where_they_end(self):
        self.check('/* One (e.g. this).  Two, 0.1.0 of it ...  more.\n * Three. */',
                   'One (e.g. this).', 'Two, 0.1.0 of it ... more.', 'Three.')

    def test_labels_and_lists(self):
        self.check('/*\n * Errors: -EIO  one; -ENOMEM\n *         -EBUSY  two\n'
                   ' *           goes on\n * Owner: you.  Thread: any.\n'
                   ' * Python: `x`.  Since 0.1.0.\n */',
                   'Errors: -EIO one', '-ENOMEM', '-EBUSY two goes on', 'Owner: you.',
                   'Thread: any.')

    def test_listings(self):
        self.check('/*\n * Text.\n *\n *     f(a);\n *     g(b);\n *\n * More.\n */',
                   'Text.', 'f(a); g(b);', 'More.')


def tearDownModule():
    entries = [entry for header, path in sentences.headers().items()
               for entry in read(header, path)[1]]
    tests = {test for _, tests in entries for test in tests if test[0] != 'definition'}
    definitions = sum(tests[0][0] == 'definition' for _, tests in entries if tests)
    print(f'{len(entries)} sentences, {definitions} of them definitions, '
          f'and {len(tests)} tests')


if __name__ == '__main__':
    unittest.main()
