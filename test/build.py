#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The build directories under build/: how each is configured, and bringing one up to date.

    build.py NAME [TARGET...]

A directory is made again whenever its options, the tree's place or meson's version differ
from those it was made with, so that it never keeps an old choice.
"""

import fcntl
import os
import pathlib
import platform
import shlex
import shutil
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = TOP / 'build'
# Of test/libraries.
LIBRARIES = ['dbus-1', 'hiredis', 'libcares', 'libcurl', 'libmosquitto', 'libpq', 'openssl']
BOUND = 900  # seconds for one configuration or compilation

WARNINGS = [
    '-Wall', '-Wextra', '-Wshadow', '-Wconversion', '-Wstrict-prototypes',
    '-Wmissing-prototypes', '-Wpedantic',
]
STRICT = ['-Dwerror=true', '-Dtests=enabled', '-Ddemos=enabled', '-Dbench=enabled',
          '-Ddocs=disabled']
# Fortified calls have other names than those that the torture wraps.
UNFORTIFIED = '-D_FORTIFY_SOURCE=0'
SUITES_ALONE = ['-Ddemos=disabled', '-Dbench=disabled']
NOTHING_MORE = ['-Dtests=disabled', '-Ddemos=disabled', '-Dbench=disabled', '-Ddocs=disabled']
PREFIX = BUILD / 'packaged' / 'prefix'  # where the packaging tests install
EXIT = TOP / 'test' / 'harness' / 'coverage_exit.h'
ELSEWHERE = TOP / 'test' / 'elsewhere'
KQUEUE = TOP / 'test' / 'kqueue'  # over epoll, where there is none
SHIM = BUILD / 'kqueue-shim.so'
WITH_SHIM = f'-I{shlex.quote(str(KQUEUE / "include"))}'
# Its close() must come before the C library's.
SHIM_FIRST = f'-Dc_link_args=-Wl,--no-as-needed {shlex.quote(str(SHIM))} -Wl,--as-needed'
# musl's FD_SET is a macro that mixes signs; the kernel's headers are not musl's.
MUSL = ['-Wno-sign-conversion', '-idirafter /usr/include',
        f'-idirafter /usr/include/{platform.machine()}-linux-gnu']
UBSAN = ['-fno-sanitize-recover=all', '-fno-omit-frame-pointer']


def strict(compiler, *options, c_args=()):
    """A build for the tests: everything in it, and a warning is an error."""
    words = ' '.join([*WARNINGS, UNFORTIFIED, *c_args])
    return {'CC': compiler}, [*STRICT, f'-Dc_args={words}', *options]


def covered(*options, c_args=()):
    """A build that counts what runs, in threads and in forked children, too.

    The library is static in it: a shared one's counts would be beyond the programs' reach.
    """
    return strict('gcc', '--buildtype=debug', '-Db_coverage=true', '-Ddefault_library=static',
                  *SUITES_ALONE, *options, c_args=[
                      '-fprofile-update=atomic', f'-include {shlex.quote(str(EXIT))}', *c_args])


def elsewhere(environment, *options, c_args=()):
    """A build for where libuv and libcheck are not available.

    pkg-config looks nowhere but in test/elsewhere, which has what the suites use of libcheck.
    """
    words = ' '.join([*WARNINGS, *c_args])
    return {'PKG_CONFIG_LIBDIR': str(ELSEWHERE), **environment}, [
        '-Dwerror=true', '-Dtests=enabled', *SUITES_ALONE, '-Ddocs=disabled',
        '-Dlibuv=disabled', f'-Dc_args={words}', *options]


def shimmed(*options):
    """A build with the tests' own kqueue."""
    return strict('gcc', '--buildtype=debugoptimized', SHIM_FIRST, *options,
                  c_args=[WITH_SHIM])


# name: the environment's changes, the options of `meson setup`
BUILDS = {
    'release': ({}, ['--buildtype=release', '-Dtests=disabled', '-Dbench=disabled',
                     '-Ddocs=disabled']),
    # Of its own, so that it is never one that was configured before libhttp-parser came.
    'monitor': ({}, ['--buildtype=release', '-Dtests=disabled', '-Dbench=disabled',
                     '-Ddocs=disabled']),
    'bench': ({}, [
        '--buildtype=release', '-Dtests=disabled', '-Ddemos=enabled', '-Dbench=enabled',
        '-Ddocs=disabled']),
    'gcc': strict('gcc', '--buildtype=debugoptimized'),
    'clang': strict('clang', '--buildtype=debug'),
    'asan': strict('gcc', '--buildtype=debug', '-Db_sanitize=address,undefined',
                   '-Dbench=disabled', c_args=UBSAN),
    'coverage': covered(),
    # With a fifth backend, so that what is there for its sake runs.
    'coverage-without-libuv': covered(
        '-Dlibuv=disabled', '-Ddemos=enabled', SHIM_FIRST, c_args=[WITH_SHIM]),
    'fuzz': strict(
        'clang', '--buildtype=debugoptimized', '-Db_sanitize=address,undefined',
        '-Db_lundef=false', '-Ddefault_library=static',
        c_args=[*UBSAN, '-fsanitize=fuzzer-no-link']),
    'tsan': strict('gcc', '--buildtype=debugoptimized', '-Db_sanitize=thread', *SUITES_ALONE),
    # For test/mutate: a change is compiled in a moment, no suite is linked anew for it, and of
    # two that do the same the compiler says so. Symbols for debugging would tell them apart.
    'mutant': ({'CC': 'gcc'}, [
        '--buildtype=plain', '-Doptimization=1', '-Dwarning_level=0', '-Dtests=enabled',
        '-Ddocs=disabled', '-Ddefault_library=shared', f'-Dc_args={UNFORTIFIED}',
        *SUITES_ALONE]),
    'packaged': ({}, [
        '-Ddefault_library=both', f'--prefix={PREFIX}', '-Dlibdir=lib', *NOTHING_MORE]),
    'aarch64': elsewhere({}, f'--cross-file={ELSEWHERE / "aarch64.ini"}'),
    'kqueue': shimmed(*SUITES_ALONE),
    # As where there is no epoll: libuv's own set stands for its kqueue.
    'kqueue-alone': shimmed(*SUITES_ALONE, '-Depoll=disabled'),
    'musl': elsewhere({'CC': 'musl-gcc'}, c_args=MUSL),
    's390x': elsewhere({}, f'--cross-file={ELSEWHERE / "s390x.ini"}'),
}


class BuildError(Exception):
    """A configuration or compilation failed; str() is what the tool said."""


def run_tool(command, log, environment):
    """One bounded step of a build; its output goes to the log."""
    with open(log, 'ab') as output:
        try:
            status = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, **environment}, timeout=BOUND).returncode
        except subprocess.TimeoutExpired:
            status = f'not finished after {BOUND} s'
    if status != 0:
        lines = log.read_text(errors='replace').splitlines()
        raise BuildError('\n'.join([*lines[-60:], f'{command[0]}: {status}; see {log}']))


def make_shim(log):
    """The library of test/kqueue; Meson's questions to the compiler are linked with it, too."""
    sources = sorted(map(str, KQUEUE.glob('*.c')))
    run_tool(['gcc', '-std=c11', '-D_GNU_SOURCE', *WARNINGS, '-Werror', '-O2', '-g', '-shared',
              '-fPIC', f'-I{KQUEUE / "include"}', '-o', str(SHIM), *sources], log, {})


def libraries_there():
    """What the tests can do without: installing one later makes the directory again."""
    return [name for name in LIBRARIES if shutil.which('pkg-config') and not subprocess.run(
        ['pkg-config', '--exists', name], stderr=subprocess.DEVNULL).returncode]


def describe(environment, options):
    """Everything that a directory depends on and ninja does not watch."""
    version = subprocess.run(['meson', '--version'], capture_output=True, text=True)
    has_tests = '-Dtests=enabled' in options
    return repr((str(TOP), version.stdout, sorted(environment.items()), options,
                 libraries_there() if has_tests else []))


def configure(directory, log, environment, options):
    made_from = directory / 'made-from'
    wanted = describe(environment, options)
    if made_from.exists() and made_from.read_text() == wanted:
        return
    shutil.rmtree(directory, ignore_errors=True)
    run_tool(['meson', 'setup', str(directory), str(TOP), *options], log, environment)
    made_from.write_text(wanted)


def build(name, *targets):
    """Bring build/<name> up to date and return its path."""
    environment, options = BUILDS[name]
    options = [*options, '-Db_colorout=never']  # it goes to a log
    directory = BUILD / name
    BUILD.mkdir(exist_ok=True)
    log = BUILD / f'{name}.log'
    with open(BUILD / f'{name}.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        log.write_bytes(b'')
        if SHIM_FIRST in options:
            make_shim(log)
        configure(directory, log, environment, options)
        run_tool(['ninja', '-C', str(directory), *targets], log, environment)
    return directory


def main(name, *targets):
    if not (BUILD / name / targets[0] if targets else BUILD / name).exists():
        print(f'run: building in build/{name}', file=sys.stderr)
    try:
        build(name, *targets)
    except BuildError as error:
        sys.exit(f'{error}\nrun: the build failed')


if __name__ == '__main__':
    main(*sys.argv[1:])
