# SPDX-License-Identifier: MIT
"""What the tests of the documentation share: its files, the programs, the built site.

TEST_PROGRAMS in the environment is the directory of the compiled demo programs; what needs
them is skipped without it.
"""

import fcntl
import hashlib
import os
import pathlib
import subprocess
import sys
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
DOCS = TOP / 'docs'
OUTPUT = TOP / 'build' / 'docs'
PATIENCE = 600  # seconds for one tool
SITE = DOCS / 'site'
NOT_SOURCES = {'.git', 'build', '__pycache__'}
sys.path[:0] = [str(SITE / '_ext'), str(SITE)]

# Quick is the default, so that each file can be run by itself.
is_thorough = os.environ.get('TEST_LEVEL', 'quick') != 'quick'
is_full = os.environ.get('TEST_LEVEL') == 'full'
programs = os.environ.get('TEST_PROGRAMS')


def run(*command, **options):
    """A command's output; its failure is the test's, with all that it said."""
    ended = subprocess.run(
        [str(word) for word in command], text=True, timeout=PATIENCE,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if ended.returncode != 0:
        said = '\n'.join(ended.stdout.splitlines()[-60:])
        raise AssertionError(f'{ended.args} gave {ended.returncode}:\n{said}')
    return ended.stdout


def sources():
    """A hash of all that the site is made from, which may be any file of the tree."""
    found = hashlib.sha256()
    for folder, folders, names in os.walk(TOP):
        folders[:] = sorted({*folders} - NOT_SOURCES)
        for name in sorted(names):
            path = pathlib.Path(folder, name)
            found.update(f'{path} {path.stat().st_size}\n'.encode() + path.read_bytes())
    return found.hexdigest()


def build():
    """Build all of the site, a warning being an error; returns where it is.

    Once for the suites that read it at the same time: even a build that has nothing to do
    writes some files anew.
    """
    OUTPUT.mkdir(parents=True, exist_ok=True)
    stamp = OUTPUT / 'tested'
    with open(TOP / 'build' / 'docs.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = sources()
        if not stamp.exists() or stamp.read_text() != wanted:
            run('/usr/bin/python3', SITE / 'build.py')
            stamp.write_text(wanted)
    return OUTPUT


def pages():
    """The written pages, each as its name below docs/ and its text."""
    return [(str(path.relative_to(DOCS)), path.read_text())
            for path in sorted(DOCS.rglob('*.rst'))
            if path.relative_to(DOCS).parts[0] != 'benchmarks']


def program(name):
    if programs is None:
        raise unittest.SkipTest('needs TEST_PROGRAMS')
    return pathlib.Path(programs).resolve() / name
