#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`meson setup`: what it leaves to the user, what it says, what it is without Sphinx."""

import json
import pathlib
import tempfile
import unittest

import tree

OPTIONS = {
    'werror': False, 'buildtype': 'debug', 'default_library': 'shared', 'demos': 'auto',
    'tests': 'auto', 'docs': 'auto', 'bench': 'auto', 'libuv': 'enabled'}


class Setup(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix='selkie setup ')
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.build = self.directory / 'build'

    def setup(self, *options, **environment):
        return tree.run('meson', 'setup', self.build, tree.TOP, *tree.build.NOTHING_MORE,
                        *options, env=environment)

    def targets(self):
        listing = tree.run('meson', 'introspect', '--targets', self.build)
        return {target['name'] for target in json.loads(listing)}

    def test_it_imposes_nothing(self):
        """How strict and how fast a build is, is its user's choice."""
        project = tree.TOP / 'meson.build'
        listing = tree.run('meson', 'introspect', '--buildoptions', project)
        values = {option['name']: option['value'] for option in json.loads(listing)}
        self.assertEqual({name: values[name] for name in OPTIONS}, OPTIONS)

    def test_without_tests_nothing_of_theirs_is_built(self):
        """A packager had 197 targets, the benchmarks among them."""
        tree.run('meson', 'setup', self.build, tree.TOP, '-Dtests=disabled', '-Ddocs=disabled')
        listing = tree.run('meson', 'introspect', '--targets', self.build)
        sources = {target['defined_in'] for target in json.loads(listing)}
        self.assertEqual({pathlib.Path(path).relative_to(tree.TOP).parts[0]
                          for path in sources}, {'lib', 'demo'})
        self.setup('--wipe')
        self.assertEqual(self.targets(), {'selkie'})

    def test_a_unity_build(self):
        """Two files of the library had a `struct state` each, and in one file both."""
        self.setup('-Dunity=on')
        tree.run('ninja', '-C', self.build)

    def test_it_warns_of_nothing(self):
        """Meson would, of what is newer than the version asked for, or too old."""
        self.assertNotRegex(self.setup('-Ddemos=enabled'), '(?i)warning|deprecat')

    def test_the_summary(self):
        for libuv, backends, services in [
                ('enabled', 'uv epoll poll select', 'YES'),
                ('disabled', 'epoll poll select', 'NO')]:
            with self.subTest(libuv), tempfile.TemporaryDirectory() as self.build:
                said = self.setup(f'-Dlibuv={libuv}')
                self.assertRegex(said, rf'\n *backends *: {backends}\n')
                self.assertRegex(said, rf'\n *reactor services \(libuv\) *: {services}\n')

    def test_without_sphinx_there_are_no_pages(self):
        """Unless they are asked for: that is an error, which names what is missing."""
        (self.directory / 'sphinx.py').write_text('raise ImportError("for this test")')
        without = {'PYTHONPATH': str(self.directory)}
        self.setup('-Ddocs=auto', **without)
        self.assertEqual(self.targets(), {'selkie'})
        with self.assertRaisesRegex(AssertionError, 'the manual pages need Sphinx'):
            self.setup('--wipe', '-Ddocs=enabled', **without)


if __name__ == '__main__':
    unittest.main()
