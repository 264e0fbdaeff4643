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

LIBUV = '''
project('libuv', 'c', version: '1.44.2')
uv = declare_dependency(
  dependencies: meson.get_compiler('c').find_library('uv'),
  version: meson.project_version(),
)
meson.override_dependency('libuv', uv)
'''


class Subproject(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix='selkie consumer ')
        self.addCleanup(directory.cleanup)
        self.project = pathlib.Path(directory.name) / 'project'
        shutil.copytree(tree.CONSUMER, self.project)
        (self.project / 'subprojects').mkdir()
        os.symlink(tree.TOP, self.project / 'subprojects' / 'selkie')
        self.build = self.project / 'build'

    def consume(self, *options, env=()):
        """Build the consumer without a download, and run its tests."""
        tree.run('meson', 'setup', self.build, self.project, '--wrap-mode=nodownload',
                 '--force-fallback-for=selkie', *options, env=dict(env))
        tree.run('ninja', '-C', self.build)
        tree.run('meson', 'test', '-C', self.build)

    def targets(self):
        listing = tree.run('meson', 'introspect', '--targets', self.build)
        return {target['name'] for target in json.loads(listing)}

    @tree.quick
    def test_shared(self):
        self.consume('-Ddefault_library=shared')

    @tree.quick
    def test_static(self):
        self.consume('-Ddefault_library=static')

    @tree.quick
    def test_both(self):
        self.consume('-Ddefault_library=both')

    @unittest.skipUnless(tree.is_thorough, 'only with --thorough')
    def test_subprojects_in_one_file_each(self):
        self.consume('-Dunity=subprojects')

    @tree.quick
    def test_nothing_but_the_library_is_built(self):
        tree.run('meson', 'setup', self.build, self.project, '--wrap-mode=nodownload',
                 '--force-fallback-for=selkie')
        self.assertEqual(self.targets(), {'consumer_c', 'consumer_cpp', 'selkie'})

    @unittest.skipUnless(tree.is_thorough, 'only with --thorough')
    def test_what_is_asked_for_is_built(self):
        """`auto` is off here, `enabled` is what it says."""
        tree.run('meson', 'setup', self.build, self.project, '--wrap-mode=nodownload',
                 '--force-fallback-for=selkie', '-Dselkie:demos=enabled',
                 '-Dselkie:docs=enabled')
        self.assertLessEqual({'echo_server', 'man'}, self.targets())
        self.assertNotIn('test_contract', self.targets())

    @unittest.skipUnless(tree.is_thorough, 'only with --thorough')
    def test_warnings_that_the_project_makes_errors(self):
        for compiler, compiler_cpp in [('gcc', 'g++'), ('clang', 'clang++')]:
            with self.subTest(compiler):
                shutil.rmtree(self.build, ignore_errors=True)
                self.consume('-Dwerror=true', '-Dselkie:werror=true', '-Dwarning_level=3',
                             '-Dselkie:warning_level=3', '--buildtype=release',
                             '-Dc_args=' + ' '.join(tree.build.WARNINGS),
                             env={'CC': compiler, 'CXX': compiler_cpp})

    @unittest.skipUnless(tree.is_thorough, 'only with --thorough')
    def test_without_libuv(self):
        self.consume('-Dselkie:libuv=disabled')

    @unittest.skipUnless(tree.is_thorough, 'only with --thorough')
    def test_libuv_as_a_subproject_too(self):
        """What `meson wrap install libuv` brings; here it stands for the system's."""
        libuv = self.project / 'subprojects' / 'libuv'
        libuv.mkdir()
        (libuv / 'meson.build').write_text(LIBUV)
        self.consume('--force-fallback-for=selkie,libuv')
        subprojects = tree.run('meson', 'introspect', '--projectinfo', self.build)
        self.assertEqual({'libuv', 'selkie'}, {
            project['name'] for project in json.loads(subprojects)['subprojects']})

    @unittest.skipUnless(tree.is_thorough, 'only with --thorough')
    def test_for_another_machine(self):
        """Built by a cross compiler, and run by qemu."""
        cross = tree.TEST / 'elsewhere' / 'aarch64.ini'
        for library in ('shared', 'static'):
            with self.subTest(library):
                shutil.rmtree(self.build, ignore_errors=True)
                self.consume(f'--cross-file={cross}', '-Dselkie:libuv=disabled',
                             f'-Ddefault_library={library}')
                header = tree.run('readelf', '-h', self.build / 'consumer_cpp')
                self.assertIn('AArch64', header)


if __name__ == '__main__':
    unittest.main()
