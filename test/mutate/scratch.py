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
from harness.instruments import sized

COPIED = ['meson.build', 'meson_options.txt', 'demo', 'docs/examples', 'include', 'lib',
          'test']
IGNORED = {'__pycache__', 'mutate'}
COPY = build.BUILD / 'mutate'
DIRECTORY = COPY / 'build' / 'mutant'
LOGS = COPY / 'logs'
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
            if file.is_file() and IGNORED.isdisjoint(file.relative_to(top).parts):
                found[str(file.relative_to(top))] = file
    return found


def copy_tree():
    """Make the copy as the tree is."""
    files, there = files_of(build.TOP), files_of(COPY)
    for name in there.keys() - files.keys():
        there[name].unlink()
    for name, file in files.items():
        text, copied = file.read_bytes(), COPY / name
        # Its time is to be that of the change: what was built of the old is older.
        if name not in there or copied.read_bytes() != text:
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.write_bytes(text)
            shutil.copymode(file, copied)


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
    """Compile and link what has changed; {object: what says which code it is}."""
    objects = next((DIRECTORY / 'lib').glob('libselkie.so.*.p'))
    ninja(str(objects.with_suffix('').relative_to(DIRECTORY)))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in objects.glob('*.o')}


def files_run_by(test, directory):
    """What of its command is a file."""
    for word in test['cmd']:
        path = pathlib.Path(os.path.normpath(directory / word))
        if path.is_file() and path.is_relative_to(build.TOP):
            yield path


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


def read_suites(directory):
    """The tests of a build that belong to the quick whole; the random ones not at length."""
    return [sized(test, 'sanitized') for test in running.read_tests(directory)
            if 'quick' in test['suite']]


def side_by_side(function, items, stopped):
    """[function(item, stopped)], several at a time; where one fails the others are stopped."""
    with concurrent.futures.ThreadPoolExecutor(running.JOBS) as pool:
        futures = [pool.submit(function, item, stopped) for item in items]
        try:
            return [future.result() for future in futures]
        finally:
            stopped.set()


class Suites:
    """The suites in the copy, and how many seconds each takes with nothing changed."""

    def __init__(self):
        self.tests = {test['name']: test for test in read_suites(DIRECTORY)}
        self.seconds = {}
        self.linking = threading.Lock()
        LOGS.mkdir(exist_ok=True)

    def passes(self, name, stopped):
        """One, with the library as it is, in no more than its time."""
        test = self.tests[name]
        with self.linking:
            if stopped.is_set():
                return False
            ninja(*(str(path.relative_to(DIRECTORY)) for path in files_run_by(test, DIRECTORY)
                    if path.is_relative_to(DIRECTORY)))
        return run(test, LOGS / f'{name}.log', {'MALLOC_PERTURB_': '165'},
                   GRACE + SLOWER * self.seconds.get(name, build.BOUND), stopped)

    def first_to_fail(self, names):
        """Of these, or None; those come first that take the least."""
        failed = []

        def try_one(name, stopped):
            if not self.passes(name, stopped) and not stopped.is_set():
                failed.append(name)
                stopped.set()
        side_by_side(try_one, sorted(names, key=self.seconds.get), threading.Event())
        return failed[0] if failed else None
