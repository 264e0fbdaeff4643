#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`meson dist`: the archive of a release has all that it takes to build and test it."""

import os
import pathlib
import subprocess
import tarfile
import tempfile
import unittest

import tree

PATIENCE = 900  # seconds, for a build
# Those that read a file of the tree, or start a program of it; the others are as built.
READERS = ['fuzz_relay', 'syscalls', 'torture_table', 'trace']


@unittest.skipUnless(tree.is_thorough, 'only with --thorough')
class Dist(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix='selkie-dist-')
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.sources = tree.snapshot(self.directory / 'sources')
        self.build = self.directory / 'build'

    def dist(self):
        tree.run('meson', 'setup', self.build, self.sources, '-Dtests=enabled',
                 '-Ddemos=enabled', '-Dbench=disabled')
        tree.run('meson', 'dist', '-C', self.build, '--no-tests')
        archive, = (self.build / 'meson-dist').glob('*.tar.xz')
        return archive

    def build_from(self, archive):
        """What is in the archive, the library, the programs and what the tests need; and what
        these say.
        """
        with tarfile.open(archive) as opened:
            packed = {name.partition('/')[2] for name in opened.getnames()} - {''}
            opened.extractall(self.directory / 'unpacked')
        sources, = (self.directory / 'unpacked').iterdir()
        build = self.directory / 'built'
        tree.run('meson', 'setup', build, sources, '-Dtests=enabled', '-Ddemos=enabled',
                 '-Dbench=enabled')
        tree.run('meson', 'compile', '-C', build, 'selkie', 'echo_server', patience=PATIENCE)
        return packed, tree.run('meson', 'test', '-C', build, *READERS, patience=PATIENCE)

    def test_the_archive_is_built_and_tested(self):
        archive = self.dist()
        packed, said = self.build_from(archive)
        self.assertRegex(said, r'Fail: +0\b')
        self.assertRegex(said, rf'Ok: +{len(READERS)}\b')
        listed = subprocess.run(['git', 'ls-files'], cwd=self.sources, check=True,
                                stdout=subprocess.PIPE, text=True).stdout.split('\n')
        self.assertLessEqual(set(filter(None, listed)), packed)
        self.assertTrue(os.path.exists(f'{archive}.sha256sum'))


if __name__ == '__main__':
    unittest.main()
