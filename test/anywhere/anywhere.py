# SPDX-License-Identifier: MIT
"""The suites on a machine that is unusual in some way: what `./run test --anywhere` starts.

A circumstance is made by a command in front of every suite: a namespace, a limit, a filter.
The suites are run as they are built; only for the clone they are built again.  If a
circumstance can't be made here, because a right or a tool is missing, it is left out with a
line that says why.  A suite that can't test its subject in it says so, and does not fail.
"""

import collections
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import build
from harness import results, running
from harness.instruments import INSTRUMENTED, TAKES_TURNS
from harness.running import Manner

TEST = build.TOP / 'test'
sys.path.insert(0, str(TEST / 'packaging'))

import tree  # noqa: E402 (it is found only now)

INSIDE = TEST / 'anywhere' / 'inside.py'
YEAR = 365 * 86400
LOOPS = 4
# The suites for a short look: those that depend most on the machine.
IN_PASSING = re.compile(
    'alarms|attach_program|cold|descriptors|errors|executor|fork|fork_daemon|fork_exit|'
    'other_systems|preempted|selectors|signals|strangers_scarcity|strangers_threads|time|'
    'timers|trace_files|uv_survival|waits')
IN_CLONE = ['selectors', 'trace', 'syscalls', 'debug', 'command_line', 'transcripts']

# A name, a description, the command that makes it, what is added to the environment, whether
# Python and the programs with their clients can run in it, how much longer a suite may take.
Circumstance = collections.namedtuple(
    'Circumstance', 'name what wrapper environment python programs slower',
    defaults=[{}, True, True, 4])


def inside(*things):
    return [sys.executable, str(INSIDE), *things, '--']


def up_for(seconds):
    """A clock that started that many seconds ago."""
    offset = str(int(seconds - time.clock_gettime(time.CLOCK_BOOTTIME)))
    return ['unshare', '--time', f'--boottime={offset}', f'--monotonic={offset}']


def limit(what, count):
    return ['prlimit', f'--{what}={count}:{count}']


def circumstances():
    """All of them; the clocks' are as of now."""
    return [
        Circumstance('minute', 'booted a minute ago', up_for(60)),
        Circumstance('wrap', 'up for 2^32 milliseconds in half a minute',
                     up_for(2**32 / 1000 - 30)),
        Circumstance('years', 'up for two years', up_for(2 * YEAR)),
        Circumstance('nofile-256', '256 descriptors at most', limit('nofile', 256),
                     programs=False),
        Circumstance('nofile-1024', '1,024 descriptors at most', limit('nofile', 1024)),
        Circumstance('nofile-4096', '4,096 descriptors at most', limit('nofile', 4096)),
        Circumstance('nproc', 'a user without rights, with 12 processes and threads at most',
                     [*limit('nproc', 12), *inside('without_rights')], python=False),
        Circumstance('rights', 'a user without rights and without a home',
                     inside('without_rights')),
        Circumstance('load', f'beside {LOOPS} busy loops', []),
        Circumstance('ipv6', 'without IPv6', ['unshare', '--net', *inside('no_ipv6')]),
        Circumstance('dev', 'with nothing in /dev',
                     ['unshare', '--mount', *inside('empty_dev')], python=False),
        Circumstance('pwait2', 'a kernel without epoll_pwait2()', inside('no_epoll_pwait2')),
        Circumstance('odd', 'signals ignored and blocked, no stdin, descriptors left open',
                     inside('odd_start')),
        Circumstance('turkish', 'in Turkish', [],
                     {'LC_ALL': 'tr_TR.UTF-8', 'LANGUAGE': 'tr'}),
    ]


CLONE = 'clone'
CLONE_IS = 'a clone in a folder with a space and an umlaut in its name'
NAMES = [c.name for c in circumstances()] + [CLONE]


def why_not(circumstance):
    """The reason why it can't be made on this machine, or None."""
    wanted = circumstance.environment.get('LC_ALL')
    if wanted:
        known = subprocess.run(['locale', '-a'], capture_output=True, text=True).stdout
        if wanted.replace('UTF-8', 'utf8') not in known.split():
            return f'there is no locale {wanted} here'
    folder = str(build.BUILD)
    try:
        tried = subprocess.run([*circumstance.wrapper, 'test', '-r', folder],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except OSError as error:
        return str(error)
    said = tried.stderr.strip().splitlines()
    if tried.returncode != 0:
        return said[-1] if said else f'{folder} is closed to others'
    return None


@contextlib.contextmanager
def busy(count):
    """So many processes that do nothing else, ended when the block is left."""
    loops = [subprocess.Popen(['sh', '-c', 'while :; do :; done'], stdin=subprocess.DEVNULL)
             for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def open_to_all(directory):
    """A user without rights writes its results there."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o777)


def without_scripts(session, circumstance, tests):
    """Those that need no Python, where it can't live or isn't to be reached."""
    reason = None if circumstance.python else 'Python needs more than there is'
    reached = subprocess.run([*circumstance.wrapper, 'test', '-x', sys.executable],
                             stdin=subprocess.DEVNULL).returncode == 0
    if not reached:
        reason = f'{sys.executable} is closed to others'
    if reason is None:
        return tests
    scripts = [t for t in tests if pathlib.Path(t['cmd'][0]).name.startswith('python')]
    if scripts:
        session.skips.append((f'Python in {circumstance.name}', reason))
    return [t for t in tests if t not in scripts]


def run_in(session, circumstance, tests, logs, environment):
    open_to_all(logs / circumstance.name)
    wrapper = circumstance.wrapper
    if circumstance.name == 'wrap':  # a moment that goes by
        wrapper = up_for(2**32 / 1000 - 30)
    with busy(LOOPS if circumstance.name == 'load' else 0):
        session.run(circumstance.name, tests, Manner(
            {**circumstance.environment, **environment}, wrapper, circumstance.slower,
            circumstance.name))


def cloned(session, level):
    """A clone where a path needs quotes, built once and tested from there."""
    start = time.monotonic()
    parent = pathlib.Path(tempfile.mkdtemp(prefix='anywhere ', dir=build.BUILD))
    clone = parent / 'ein Ordner für alle'
    try:
        tree.snapshot(clone)
        suites = IN_CLONE if level == 'thorough' else []
        log = build.BUILD / 'logs' / f'{CLONE}.log'
        log.parent.mkdir(parents=True, exist_ok=True)
        status, output = running.run_bounded(
            [sys.executable, str(clone / 'test' / 'run_tests.py'), *suites], log, {}, 1800)
    finally:
        shutil.rmtree(parent)
    counted = re.search(r'^(\d+) passed, (\d+) failed$', output, re.MULTILINE)
    passed, failed = map(int, counted.groups()) if counted else (0, 1)
    outcomes = [results.Outcome(CLONE, '(tests)', results.OTHER, True, '')] * passed
    outcomes += [results.Outcome(CLONE, '(tests)', results.OTHER, False, f'see {log}')] * failed
    session.add(running.Run(CLONE, outcomes, [], time.monotonic() - start,
                            output if failed or status else '', log))


def run(session, wanted, tests, programs):
    """The suites in each circumstance that is wanted; all of them only by the verb, and the
    programs, as under an instrument without their twins and each test on one backend.
    """
    in_passing = session.level != 'quick'
    if in_passing:
        tests = [t for t in tests if IN_PASSING.fullmatch(t['name'])]
        programs = []
    programs = [{**t, 'env': {**t['env'], **INSTRUMENTED}} for t in programs]
    for circumstance in circumstances():
        if wanted and circumstance.name not in wanted:
            continue
        print(f'\n{circumstance.name}: {circumstance.what}', flush=True)
        reason = why_not(circumstance)
        if reason:
            session.skips.append((circumstance.name, reason))
            print(f'  left out: {reason}')
            continue
        before = len(session.outcomes)
        chosen = session.fit(without_scripts(
            session, circumstance, tests + (programs if circumstance.programs else [])),
            circumstance.name)
        run_in(session, circumstance, chosen, build.BUILD / 'logs',
               TAKES_TURNS if in_passing else {})
        count(session.outcomes[before:])
    if not wanted or CLONE in wanted:
        print(f'\n{CLONE}: {CLONE_IS}', flush=True)
        cloned(session, session.level)


def count(outcomes):
    failed = sum(not o.passed for o in outcomes)
    print(f'  {len(outcomes) - failed} passed, {failed} failed', flush=True)
