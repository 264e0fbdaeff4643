#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each public header as users include it, from an installed tree.

It compiles alone and twice in a row, as C11 and as C++, without a warning; and without
libuv, selkie/uv.h apart.
"""

import tempfile
import unittest

import tree

WARNINGS = ['-Wall', '-Wextra', '-Wshadow', '-Wconversion', '-pedantic-errors', '-Werror']
LANGUAGES = [
    ('gcc', 'c', 'c11'), ('clang', 'c', 'c11'),
    ('g++', 'c++', 'c++11'), ('clang++', 'c++', 'c++11'),
    ('g++', 'c++', 'c++17'), ('clang++', 'c++', 'c++17'),
]
WITH_LIBUV = 'selkie/uv.h'


class Headers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.include = tree.install() / 'include'
        cls.no_libuv = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.no_libuv.cleanup)
        with open(f'{cls.no_libuv.name}/uv.h', 'w') as file:
            file.write('#error "this header includes libuv\'s"\n')

    def compile(self, header, compiler, language, standard):
        # libuv's own header asks for POSIX's names, which -std=c11 alone hides.
        with_libuv = header == WITH_LIBUV
        libuv = ['-D_POSIX_C_SOURCE=200809L'] if with_libuv else ['-I', self.no_libuv.name]
        with tempfile.NamedTemporaryFile('w', suffix='.txt') as source:
            source.write(f'#include <{header}>\n' * 2)
            source.write('extern int no_empty_file;\n')
            source.flush()
            tree.run(compiler, '-x', language, f'-std={standard}', *WARNINGS, *libuv,
                     '-I', self.include, '-fsyntax-only', source.name)

    def test_all_are_installed_and_no_more(self):
        installed = {str(p.relative_to(self.include)) for p in self.include.rglob('*.h')}
        self.assertEqual(installed, tree.public_headers())

    def test_libuv_would_be_noticed(self):
        with self.assertRaisesRegex(AssertionError, "this header includes libuv's"):
            self.compile('uv.h', 'gcc', 'c', 'c11')

    def test_the_names_of_errors_come_with_the_selectors(self):
        text = ('#include <selkie/selectors.h>\n'
                'int is_taken(sel_selector *sel, int fd);\n'
                'int is_taken(sel_selector *sel, int fd)\n'
                '{\n'
                '    return sel_register(sel, fd, SEL_EVENT_READ, NULL, NULL) == -EEXIST;\n'
                '}\n')
        with tempfile.NamedTemporaryFile('w', suffix='.txt') as source:
            source.write(text)
            source.flush()
            for compiler, language, standard in LANGUAGES:
                tree.run(compiler, '-x', language, f'-std={standard}', *WARNINGS,
                         '-I', self.include, '-fsyntax-only', source.name)

    def test_the_umbrella_includes_all_but_libuvs(self):
        included = tree.run('cc', '-I', self.include, '-M', self.include / 'selkie.h')
        for header in tree.public_headers() - {WITH_LIBUV}:
            self.assertIn(f'/include/{header}', included)


def compiles_alone_and_twice(header, *how):
    return lambda self: self.compile(header, *how)


for _header in sorted(tree.public_headers()):
    for _how in LANGUAGES:
        _name = f'test_{_header}_{_how[0]}_{_how[2]}'.translate(str.maketrans('/.+', '__x'))
        setattr(Headers, _name, compiles_alone_and_twice(_header, *_how))

if __name__ == '__main__':
    unittest.main()
