#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`meson dist`: the archive of a release has all that its own tests need."""

import os
import pathlib
import subprocess
import tarfile
import tempfile
import unittest

import tree

PATIENCE = 1500  # seconds: everything is built and tested once more


@unittest.skipUnless(tree.is_thorough, 'only with --thorough')
class Dist(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix='selkie-dist-')
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.sources = tree.snapshot(self.directory / 'sources')
        self.build = self.directory / 'build'

    def dist(self):
        """Its output, and the archive."""
        tree.run('meson', 'setup', self.build, self.sources, '-Dtests=enabled',
                 '-Ddemos=enabled', '-Dbench=disabled')
        said = tree.run('meson', 'dist', '-C', self.build, patience=PATIENCE)
        archives = list((self.build / 'meson-dist').glob('*.tar.xz'))
        self.assertEqual(len(archives), 1)
        return said, archives[0]

    def test_the_archive_passes_its_own_tests(self):
        said, archive = self.dist()
        self.assertRegex(said, r'Fail: +0\b')
        self.assertRegex(said, r'Ok: +\d\d')
        with tarfile.open(archive) as opened:
            packed = {name.partition('/')[2] for name in opened.getnames()} - {''}
        listed = subprocess.run(['git', 'ls-files'], cwd=self.sources, check=True,
                                stdout=subprocess.PIPE, text=True).stdout.split('\n')
        self.assertLessEqual(set(filter(None, listed)), packed)
        self.assertTrue(os.path.exists(f'{archive}.sha256sum'))


if __name__ == '__main__':
    unittest.main()
