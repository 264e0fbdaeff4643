#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One list of functions: the headers', the version script's, the library's, the manual's."""

import re
import sys
import unittest

import tree

sys.path.insert(0, str(tree.TOP / 'docs' / 'site' / '_ext'))

import headers  # noqa: E402 (what the documentation is made with is found only now)

PROTOTYPE = re.compile(r'(?:^|[;{}])([^;{}#=]*?\b(sel_\w+)\s*\([^;{}]*\))\s*(?=;)')


def map_names():
    text = tree.without_comments((tree.TOP / 'lib' / 'selkie.map').read_text())
    return re.findall(r'\b(\w+);', text[text.index('global:'):text.index('local:')])


def defined_symbols(library, *options):
    """Names of what a library defines for others, without version nodes."""
    lines = tree.run('nm', '--defined-only', '-g', *options, library).splitlines()
    fields = [line.split() for line in lines]
    return {f[2].partition('@')[0] for f in fields if len(f) == 3 and f[1] != 'A'}


class Exports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lib = tree.install() / 'lib'
        cls.declared = tree.declared()

    def test_there_are_functions(self):
        self.assertIn('sel_open', self.declared)
        self.assertIn('sel_attach_loop', self.declared)

    def test_each_is_declared_once(self):
        self.assertEqual(len(self.declared), len(set(self.declared)))

    def test_every_prototype_says_that_it_is_exported(self):
        text = re.sub(r'^\s*#.*(\\\n.*)*$', '', tree.header_text(), flags=re.MULTILINE)
        for declaration, name in PROTOTYPE.findall(text):
            if not declaration.strip().startswith('typedef'):
                self.assertIn('SEL_API', declaration, name)

    def test_version_script_names_what_the_headers_declare(self):
        self.assertEqual(sorted(map_names()), sorted(self.declared))

    def test_shared_library_exports_what_the_headers_declare(self):
        self.assertEqual(
            defined_symbols(self.lib / 'libselkie.so', '-D'), set(self.declared))

    def test_static_library_keeps_to_its_prefix(self):
        others = {
            name for name in defined_symbols(self.lib / 'libselkie.a')
            if not name.startswith('sel__')}
        self.assertEqual(others, set(self.declared))

    def test_documentation_describes_what_the_headers_declare(self):
        """The reference and the manual pages are made of these."""
        functions = [(name, entry) for header in headers.read_all()
                     for entry in header.entries if entry.kind == 'function'
                     for name in entry.names]
        self.assertEqual(sorted(name for name, _ in functions), sorted(self.declared))
        for name, entry in functions:
            with self.subTest(name):
                self.assertTrue(entry.summary)
                self.assertLessEqual({'Thread', 'Since'}, entry.fields.keys())
        for header in {entry.header for _, entry in functions}:
            page = tree.TOP / 'docs' / 'reference' / f'{header.removesuffix(".h")}.rst'
            self.assertIn(f'.. header:: {header}\n', page.read_text())


if __name__ == '__main__':
    unittest.main()
