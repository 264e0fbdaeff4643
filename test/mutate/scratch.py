# SPDX-License-Identifier: MIT
"""A copy of the tree, in which the library is changed, built and tested."""

import concurrent.futures
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import build
from harness import running

COPIED = ['meson.build', 'meson_options.txt', 'demo', 'docs/examples', 'include', 'lib', 'test']
COPY = build.BUILD / 'mutate'
DIRECTORY = COPY / 'build' / 'mutant'
LIBRARY = 'lib/libselkie.a'
GRACE = 15  # seconds for any suite, beyond SLOWER times what it takes of itself
SLOWER = 5
LOOK = 0.02  # seconds between looks at a program that runs


class CompileError(Exception):
    """What was made of the library is no program."""


def files_of(top):
    """{its name: its path} of all that a build needs."""
    found = {}
    for name in COPIED:
        path = top / name
        for file in [path] if path.is_file() else sorted(path.rglob('*')):
            if file.is_file() and '__pycache__' not in file.parts:
                found[str(file.relative_to(top))] = file
    return found


def copy_tree():
    """Make the copy as the tree is; what says which tree that is."""
    files, there = files_of(build.TOP), files_of(COPY)
    digest = hashlib.sha256()
    for name in there.keys() - files.keys():
        there[name].unlink()
    for name, file in files.items():
        text, copied = file.read_bytes(), COPY / name
        digest.update(f'{name} {len(text)} '.encode() + text)
        # Its time is to be that of the change: what was built of the old is older.
        if name not in there or copied.read_bytes() != text:
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.write_bytes(text)
            shutil.copymode(file, copied)
    return digest.hexdigest()


def build_all():
    """All that is in the copy, as it is."""
    ran = subprocess.run([sys.executable, str(COPY / 'test' / 'build.py'), 'mutant'],
                         stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                         check=False)
    if ran.returncode != 0:
        raise build.BuildError(ran.stderr)


def ninja(*targets):
    ran = subprocess.run(['ninja', '-C', str(DIRECTORY), *targets], stdin=subprocess.DEVNULL,
                         capture_output=True, timeout=build.BOUND, check=False)
    if ran.returncode != 0:
        raise CompileError(ran.stdout.decode(errors='replace'))


def build_library():
    """Compile what has changed; {object: what says which code it is}."""
    ninja(LIBRARY)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (DIRECTORY / f'{LIBRARY}.p').glob('*.o')}


def programs_of(test):
    """Those of the build that a test runs, as ninja calls them."""
    for word in test['cmd']:
        path = pathlib.Path(os.path.normpath(DIRECTORY / word))
        if path.is_relative_to(DIRECTORY):
            yield str(path.relative_to(DIRECTORY))


def end_all(mark):
    """End all that has this in its environment, whatever it has become since."""
    for entry in pathlib.Path('/proc').glob('[0-9]*/environ'):
        try:
            if mark.encode() in entry.read_bytes():
                os.kill(int(entry.parent.name), 9)
        except OSError:
            pass  # it has ended, or is not ours


def run(test, log, environment, seconds, stopped):
    """Does the test pass, in that time?  False, too, when `stopped` is set meanwhile."""
    mark = f'{os.getpid()}-{test["name"]}.'
    environment = {**os.environ, **environment, **test['env'], 'TEST_MUTANT': mark}
    ends = time.monotonic() + seconds
    with open(log, 'wb') as output:
        process = subprocess.Popen(
            test['cmd'], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=environment, cwd=test['workdir'], start_new_session=True)
    try:
        while process.poll() is None and time.monotonic() < ends and not stopped.is_set():
            stopped.wait(LOOK)
        return process.poll() in (0, running.SKIP)
    finally:
        end_all(f'TEST_MUTANT={mark}')
        process.wait()


class Suites:
    """The suites of a build, those first that took the least when nothing was changed."""

    def __init__(self, directory, logs):
        self.tests = {test['name']: test for test in running.read_tests(directory)
                      if 'quick' in test['suite']}
        self.logs = logs
        self.logs.mkdir(parents=True, exist_ok=True)
        self.seconds = {}
        self.linking = threading.Lock()

    def passes(self, name, stopped):
        """A suite, linked anew with the library as it is, in no more than its time."""
        test = self.tests[name]
        with self.linking:
            if stopped.is_set():
                return False
            ninja(*programs_of(test))
        return run(test, self.logs / f'{name}.log', {'MALLOC_PERTURB_': '165'},
                   GRACE + SLOWER * self.seconds[name], stopped)

    def time(self):
        """How long each takes; the names of those that don't pass."""
        failed = []
        with concurrent.futures.ThreadPoolExecutor(running.JOBS) as pool:
            def take(name):
                start, self.seconds[name] = time.monotonic(), build.BOUND
                if not self.passes(name, threading.Event()):
                    failed.append(name)
                self.seconds[name] = time.monotonic() - start
            list(pool.map(take, self.tests))
        return failed

    def first_to_fail(self, names):
        """Of these, or None; the others are stopped then."""
        stopped, failed = threading.Event(), []

        def try_one(name):
            if not self.passes(name, stopped) and not stopped.is_set():
                failed.append(name)
                stopped.set()
        with concurrent.futures.ThreadPoolExecutor(running.JOBS) as pool:
            list(pool.map(try_one, sorted(names, key=self.seconds.get)))
        return failed[0] if failed else None
