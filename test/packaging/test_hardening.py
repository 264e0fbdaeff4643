#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The library is hardened as Debian's packages are, without being asked to."""

import pathlib
import shutil
import tempfile
import unittest

import tree

PLAIN = {'LC_ALL': 'C', 'CFLAGS': '', 'CPPFLAGS': '', 'LDFLAGS': ''}


class Hardening(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix='selkie hardened ')
        self.addCleanup(directory.cleanup)
        self.build = pathlib.Path(directory.name) / 'build'

    def make(self, *options, **environment):
        """Build the library, any warning an error; returns it."""
        environment = {**PLAIN, **environment}
        tree.run('meson', 'setup', self.build, tree.TOP, '-Dwerror=true',
                 *tree.build.NOTHING_MORE, *options, env=environment)
        tree.run('ninja', '-C', self.build, env=environment)
        return self.build / 'lib' / 'libselkie.so'

    def commands(self):
        return (self.build / 'compile_commands.json').read_text()

    def test_a_release(self):
        library = self.make('--buildtype=release')
        said = tree.run('readelf', '--wide', '--segments', '--dynamic', library, env=PLAIN)
        self.assertIn('GNU_RELRO', said)
        self.assertRegex(said, r'BIND_NOW|FLAGS.*NOW')
        symbols = tree.run('readelf', '--wide', '--dyn-syms', library, env=PLAIN)
        self.assertIn('__stack_chk_fail', symbols)
        self.assertIn('-D_FORTIFY_SOURCE=2', self.commands())

    def test_without_optimisation_nothing_is_fortified(self):
        """glibc would warn."""
        self.make('--buildtype=debug')
        self.assertNotIn('_FORTIFY_SOURCE', self.commands())

    def test_what_the_user_has_chosen_stays(self):
        """A second definition of the macro is warned of, from gcc 16 on."""
        for options, environment in [(['-Dc_args=-D_FORTIFY_SOURCE=1'], {}),
                                     ([], {'CPPFLAGS': '-D_FORTIFY_SOURCE=1'}),
                                     ([], {'CC': 'cc -D_FORTIFY_SOURCE=1'})]:
            with self.subTest(options=options, environment=environment):
                shutil.rmtree(self.build, ignore_errors=True)
                self.make('--buildtype=release', *options, **environment)
                self.assertNotIn('-D_FORTIFY_SOURCE=2', self.commands())


if __name__ == '__main__':
    unittest.main()
