# SPDX-License-Identifier: MIT
"""What the packaging tests share: an installed tree, the sources' own lists, a tool's run."""

import fcntl
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import unittest

TEST = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TEST))

import build  # noqa: E402 (it is found only now)

TOP = build.TOP
CONSUMER = TEST / 'consumer'
PATIENCE = 300  # seconds for one tool

# Quick is the default, so that each file can be run by itself.
is_thorough = os.environ.get('TEST_LEVEL', 'quick') != 'quick'
quick = unittest.skipIf(is_thorough, 'the quick tests have it')


def run(*command, **options):
    """A command's output; its failure is the test's, with all that it said."""
    environment = {**os.environ, 'LC_ALL': 'C.UTF-8', 'LANGUAGE': '',
                   **options.pop('env', {})}  # what it says is read
    patience = options.pop('patience', PATIENCE)
    ended = subprocess.run(
        [str(word) for word in command], env=environment, text=True, timeout=patience,
        errors='surrogateescape', stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if ended.returncode != 0:
        said = '\n'.join(ended.stdout.splitlines()[-60:])
        raise AssertionError(f'{ended.args} gave {ended.returncode}:\n{said}')
    return ended.stdout


def install():
    """Build shared and static, install both; returns the prefix."""
    directory = build.build('packaged')
    with open(build.BUILD / 'packaged.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run('meson', 'install', '-C', directory, '--no-rebuild', '--only-changed')
    return build.PREFIX


def copy_sources(directory):
    """The tree as it is now, without its history and what was built."""
    shutil.copytree(TOP, directory, symlinks=True, ignore=lambda path, names: [
        name for name in names if name == '.git' or path == str(TOP) and name == 'build'])


def snapshot(directory):
    """The tree as it is now, committed in a repository of its own; returns that."""
    copy_sources(directory)
    for words in [['init', '-q'], ['add', '-A'], ['commit', '-q', '-m', 'as it is']]:
        run('git', '-c', 'user.name=test', '-c', 'user.email=test@localhost', *words,
            cwd=directory)
    return directory


def words(answer):
    """pkg-config's answer as a list: it puts a backslash before each byte of a letter."""
    if {"'", '"'} & set(str(TOP)):
        raise unittest.SkipTest('Meson writes no quote as pkg-config reads it')
    return [os.fsdecode(os.fsencode(word)) for word in shlex.split(answer)]


def pkg_config(prefix, *asked):
    """pkg-config's answer as a list, for the selkie installed in prefix."""
    answer = run('pkg-config', *asked, 'selkie',
                 env={'PKG_CONFIG_PATH': str(prefix / 'lib' / 'pkgconfig')})
    return words(answer)


def version(prefix):
    return pkg_config(prefix, '--modversion')[0]


def public_headers():
    """The sources' public headers as users include them."""
    include = TOP / 'include'
    names = {str(path.relative_to(include)) for path in include.rglob('*.h')}
    names |= {str(path.relative_to(include))[:-3] for path in include.rglob('*.h.in')}
    return names


def without_comments(text):
    return re.sub(r'/\*.*?\*/|//[^\n]*', ' ', text, flags=re.DOTALL)


def header_text():
    """All public headers, without comments."""
    include = TOP / 'include'
    paths = [*include.rglob('*.h'), *include.rglob('*.h.in')]
    return '\n'.join(without_comments(path.read_text()) for path in sorted(paths))


def declared():
    """The functions that the public headers export."""
    return re.findall(r'\bSEL_API\b[^;]*?\b(sel_\w+)\s*\(', header_text())
