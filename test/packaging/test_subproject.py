#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""selkie in another project's subprojects/: shared, static and both, warnings as errors."""

import json
import os
import pathlib
import shutil
import tempfile
import unittest

import tree


class Subproject(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix='selkie consumer ')
        self.addCleanup(directory.cleanup)
        self.project = pathlib.Path(directory.name) / 'project'
        shutil.copytree(tree.CONSUMER, self.project)
        (self.project / 'subprojects').mkdir()
        os.symlink(tree.TOP, self.project / 'subprojects' / 'selkie')
        self.build = self.project / 'build'

    def consume(self, *options):
        """Build the consumer without a download, and run its tests."""
        tree.run('meson', 'setup', self.build, self.project, '--wrap-mode=nodownload',
                 '--force-fallback-for=selkie', *options)
        tree.run('ninja', '-C', self.build)
        tree.run('meson', 'test', '-C', self.build)

    def targets(self):
        listing = tree.run('meson', 'introspect', '--targets', self.build)
        return {target['name'] for target in json.loads(listing)}

    def test_shared(self):
        self.consume('-Ddefault_library=shared')

    def test_static(self):
        self.consume('-Ddefault_library=static')

    def test_both(self):
        self.consume('-Ddefault_library=both')

    def test_nothing_but_the_library_is_built(self):
        tree.run('meson', 'setup', self.build, self.project, '--wrap-mode=nodownload',
                 '--force-fallback-for=selkie')
        self.assertEqual(self.targets(), {'consumer_c', 'consumer_cpp', 'selkie'})

    @unittest.skipUnless(tree.is_thorough, 'only with --thorough')
    def test_without_libuv(self):
        self.consume('-Dselkie:libuv=disabled')


if __name__ == '__main__':
    unittest.main()
