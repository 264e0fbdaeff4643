#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An installed tree, used with pkg-config and a compiler, or CMake, and nothing else."""

import pathlib
import shutil
import tempfile
import unittest

import tree

LANGUAGES = {'c': ['cc', '-std=c11'], 'cpp': ['g++', '-std=c++11']}


class Installed(unittest.TestCase):
    """What both ways share."""

    @classmethod
    def setUpClass(cls):
        cls.prefix = tree.install()
        directory = tempfile.TemporaryDirectory(prefix='selkie installed ')
        cls.addClassCleanup(directory.cleanup)
        cls.directory = pathlib.Path(directory.name)

    def link(self, language, flags):
        """Compile and link the consumer; returns the program."""
        program = self.directory / f'consumer_{language}'
        tree.run(*LANGUAGES[language], '-Wall', '-Wextra',
                 tree.CONSUMER / f'consumer.{language}', *flags, '-o', program)
        return program

    def uses_shared(self, program, prefix):
        environment = {'LD_LIBRARY_PATH': str(prefix / 'lib')}
        self.assertIn(str(prefix / 'lib' / 'libselkie.so'),
                      tree.run('ldd', program, env=environment))
        tree.run(program, env=environment)


class WithPkgConfig(Installed):
    def test_shared(self):
        for language in LANGUAGES:
            with self.subTest(language):
                flags = tree.pkg_config(self.prefix, '--cflags', '--libs')
                self.uses_shared(self.link(language, flags), self.prefix)

    def test_static(self):
        for language in LANGUAGES:
            with self.subTest(language):
                flags = tree.pkg_config(self.prefix, '--static', '--cflags', '--libs')
                archive = ['-l:libselkie.a' if f == '-lselkie' else f for f in flags]
                program = self.link(language, archive)
                self.assertNotIn('selkie.so', tree.run('ldd', program))
                tree.run(program)

    def test_not_installed(self):
        """pkg-config knows the build directory, too."""
        directory = tree.build.BUILD / 'packaged'
        flags = tree.run('pkg-config', '--cflags', '--libs', 'selkie', env={
            'PKG_CONFIG_PATH': str(directory / 'meson-uninstalled')})
        program = self.link('c', tree.words(flags))
        tree.run(program, env={'LD_LIBRARY_PATH': str(directory / 'lib')})

    @unittest.skipUnless(shutil.which('cmake'), 'there is no cmake')
    def test_moved(self):
        """CMake finds a tree that was moved as it is; pkg-config one that is relocatable."""
        build, first, then = (self.directory / name for name in ('build', 'first', 'then'))
        tree.run('meson', 'setup', build, tree.TOP, f'--prefix={first}', '-Dlibdir=lib',
                 '-Dpkgconfig.relocatable=true', *tree.build.NOTHING_MORE)
        tree.run('meson', 'install', '-C', build)
        first.rename(then)
        flags = tree.pkg_config(then, '--cflags', '--libs')
        self.uses_shared(self.link('c', flags), then)
        cmake = self.directory / 'cmake of the moved'
        tree.run('cmake', '-G', 'Ninja', '-S', tree.CONSUMER, '-B', cmake,
                 f'-DCMAKE_PREFIX_PATH={then}')
        tree.run('cmake', '--build', cmake)
        self.uses_shared(cmake / 'consumer_c', then)


class Tags(Installed):
    """A distribution splits what is installed in two: to run, and to build with."""

    def installed(self, *options):
        staging = self.directory / '-'.join(['staging', *options])
        tree.run('meson', 'install', '-C', tree.build.BUILD / 'packaged', '--no-rebuild',
                 '--destdir', staging, *options)
        root = staging / tree.build.PREFIX.relative_to('/')
        return {str(path.relative_to(root)) for path in root.rglob('*') if not path.is_dir()}

    def test_runtime_and_devel_are_all(self):
        runtime, devel, everything = (
            self.installed(*options) for options in [
                ['--tags', 'runtime'], ['--tags', 'devel'], []])
        version = tree.version(self.prefix)
        numbers = {path.removeprefix('lib/libselkie.so.') for path in runtime}
        self.assertEqual(len(numbers), 2, runtime)
        self.assertIn(version, numbers)
        self.assertEqual(devel & runtime, set())
        self.assertEqual(everything, devel | runtime)
        headers = {f'include/{header}' for header in tree.public_headers()}
        self.assertEqual(devel - headers, {
            'lib/libselkie.a', 'lib/libselkie.so', 'lib/pkgconfig/selkie.pc',
            'lib/cmake/selkie/selkie-config.cmake',
            'lib/cmake/selkie/selkie-config-version.cmake'})


@unittest.skipUnless(tree.is_thorough, 'only with --thorough')
class ManualPages(Installed):
    def test_every_function_has_a_page(self):
        build, prefix = (self.directory / name for name in ('with pages', 'pages'))
        tree.run('meson', 'setup', build, tree.TOP, f'--prefix={prefix}',
                 *tree.build.NOTHING_MORE, '-Ddocs=enabled')
        tree.run('meson', 'install', '-C', build, '--tags', 'man')
        pages = {str(path.relative_to(prefix)) for path in prefix.rglob('*.[0-9]')}
        self.assertEqual(pages, {'share/man/man7/selkie.7'} | {
            f'share/man/man3/{name}.3' for name in tree.declared()})
        version = tree.version(self.prefix)
        for page in pages:
            self.assertIn(version, (prefix / page).read_text().partition('.SH')[0])


class Development(Installed):
    def devenv(self, *command):
        return tree.run('meson', 'devenv', '-C', tree.build.BUILD / 'packaged', *command)

    def test_devenv_has_the_library_that_was_built(self):
        code = 'import ctypes; print(ctypes.CDLL("libselkie.so").sel_backend_available(1))'
        self.assertEqual(self.devenv('python3', '-c', code).splitlines()[-1], '1')
        flags = tree.words(self.devenv('pkg-config', '--libs', 'selkie').splitlines()[-1])
        self.assertIn(str(tree.build.BUILD / 'packaged'), ' '.join(flags))


@unittest.skipUnless(tree.is_thorough, 'only with --thorough')
class WithCMake(Installed):
    def configure(self, *options, **environment):
        build = self.directory / 'cmake'
        shutil.rmtree(build, ignore_errors=True)
        tree.run('cmake', '-G', 'Ninja', '-S', tree.CONSUMER, '-B', build, *options,
                 env=environment)
        return build

    def consume(self, *options, **environment):
        build = self.configure(*options, **environment)
        tree.run('cmake', '--build', build)
        for language in LANGUAGES:
            self.uses_shared(build / f'consumer_{language}', self.prefix)

    def test_package_file(self):
        self.consume(f'-DCMAKE_PREFIX_PATH={self.prefix}')

    def test_pkg_config(self):
        self.consume('-DBY_PKG_CONFIG=ON',
                     PKG_CONFIG_PATH=str(self.prefix / 'lib' / 'pkgconfig'))

    def test_versions(self):
        """One that was written for an earlier version with this ABI may have this one."""
        major, minor, patch = map(int, tree.version(self.prefix).split('.'))
        for asked, is_right in [
                ('', True), ('0.0.9', False), ('0.1', True), (f'{major}.{minor}', True),
                (f'{major}.{minor}.{patch}', True),
                (f'{major}.{minor}.{patch + 1}', False), (f'{major}.{minor + 1}', False),
                (f'{major + 1}', False), (f'{major}.{minor + 1}.{patch}', False)]:
            with self.subTest(asked), tempfile.TemporaryDirectory() as source:
                listing = pathlib.Path(source) / 'CMakeLists.txt'
                listing.write_text('cmake_minimum_required(VERSION 3.13)\nproject(asks C)\n'
                                   f'find_package(selkie {asked})\n'
                                   'message("found: ${selkie_FOUND}")\n')
                said = tree.run('cmake', '-G', 'Ninja', '-S', source, '-B', f'{source}/build',
                                f'-DCMAKE_PREFIX_PATH={self.prefix}')
                self.assertIn(f'found: {int(is_right)}\n', said)


if __name__ == '__main__':
    unittest.main()
