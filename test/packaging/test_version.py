#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One version everywhere, and one number for the ABI."""

import json
import re
import unittest

import tree


class Version(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.prefix = tree.install()
        project = tree.run('meson', 'introspect', '--projectinfo', tree.TOP / 'meson.build')
        cls.version = json.loads(project)['version']
        found = re.search(r"^soversion = '(\d+)'$", (tree.TOP / 'meson.build').read_text(),
                          re.MULTILINE)
        cls.soversion = found[1]

    def test_macros(self):
        text = (self.prefix / 'include' / 'selkie' / 'version.h').read_text()
        parts = [
            re.search(fr'^#define SELKIE_VERSION_{part} (\d+)$', text, re.MULTILINE)[1]
            for part in ('MAJOR', 'MINOR', 'PATCH')]
        self.assertEqual('.'.join(parts), self.version)

    def test_function(self):
        code = ('import ctypes, sys; library = ctypes.CDLL(sys.argv[1]);'
                'library.sel_version.restype = ctypes.c_char_p;'
                'print(library.sel_version().decode())')
        said = tree.run('python3', '-c', code, self.prefix / 'lib' / 'libselkie.so')
        self.assertEqual(said.strip(), self.version)

    def test_pkg_config(self):
        self.assertEqual(tree.version(self.prefix), self.version)

    def test_cmake(self):
        text = (self.prefix / 'lib' / 'cmake' / 'selkie'
                / 'selkie-config-version.cmake').read_text()
        self.assertIn(f'set(PACKAGE_VERSION {self.version})\n', text)

    def test_it_is_written_down_once(self):
        """In meson.build; elsewhere only what was since when, and what a program prints."""
        number = re.compile(rf'(?<![\d.]){re.escape(self.version)}(?![\d.]*\d)')
        found = []
        for path in [*tree.TOP.glob('*'), *(
                path for name in ('include', 'lib', 'demo', 'docs')
                for path in (tree.TOP / name).rglob('*'))]:
            if path.suffix in {'.c', '.h', '.in', '.build', '.txt', '.py', '.cmake', '.map',
                               '.rst', '.md'} and path.is_file():
                lines = path.read_text(errors='replace').splitlines()
                found += [str(path.relative_to(tree.TOP)) for line in lines
                          if number.search(line.replace(f'Since {self.version}', ''))]
        self.assertEqual(set(found) - {'CHANGELOG.md', 'docs/howto/pkg-config.rst'},
                         {'meson.build'})

    def test_changelog(self):
        """Its newest section is this version's, or says that it will be."""
        text = (tree.TOP / 'CHANGELOG.md').read_text()
        newest = re.split(r'^## ', text, flags=re.MULTILINE)[1]
        said = newest.partition('\n### ')[0]
        self.assertRegex(said, rf'(?<![\d.]){re.escape(self.version)}(?![\d.]*\d)')

    def test_soname(self):
        library = self.prefix / 'lib' / f'libselkie.so.{self.version}'
        dynamic = tree.run('readelf', '-d', library)
        self.assertIn(f'soname: [libselkie.so.{self.soversion}]', dynamic)

    def test_links(self):
        lib = self.prefix / 'lib'
        for name in ('libselkie.so', f'libselkie.so.{self.soversion}'):
            self.assertEqual(
                (lib / name).resolve().name, f'libselkie.so.{self.version}')

    def test_symbols_carry_the_abis_number(self):
        symbols = tree.run('nm', '-D', '--defined-only', self.prefix / 'lib' / 'libselkie.so')
        nodes = set(re.findall(r'@@?(\w+)$', symbols, re.MULTILINE))
        self.assertEqual(nodes, {f'SELKIE_{self.soversion}'})


if __name__ == '__main__':
    unittest.main()
