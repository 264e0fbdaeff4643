# SPDX-License-Identifier: MIT
"""Running the tests of one build directory: side by side, each bounded in time.

Meson knows what the tests are (`meson introspect`); running them here instead of with
`meson test` gives each its own libcheck log and its own wrapper.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import time

from harness import results

SKIP = 77
BOUND = 600  # seconds, for a test that has none of its own
JOBS = (os.cpu_count() or 1) + 2  # many of the tests mostly wait
LEFT_OUT = re.compile(r'^left out (.+?): (.+)$', re.MULTILINE)  # a suite says so

# What one test program gave; `skips` are (test, reason).
Run = collections.namedtuple('Run', 'name outcomes skips seconds output log')
# How a program is run: environment, a command in front of it, times the usual bound, what
# else watches it, and what makes outcomes of what that said of (suite, output).
Manner = collections.namedtuple(
    'Manner', 'environment wrapper slower instrument examine',
    defaults=[{}, (), 1, '', lambda suite, output: []])

# Tests that are run in one manner, and the directory of their logs.
Group = collections.namedtuple('Group', 'tests logs manner')

started = set()  # the programs that run now


def read_tests(directory):
    """The tests that meson knows, as dictionaries; 'suite' without the project's name."""
    listing = subprocess.run(
        ['meson', 'introspect', '--tests', str(directory)], check=True, capture_output=True)
    tests = json.loads(listing.stdout)
    for test in tests:
        test['suite'] = [suite.split(':')[-1] for suite in test['suite']]
        test['workdir'] = test['workdir'] or str(directory)
    return tests


def session_members(leader):
    """The processes of one session: a libcheck test has its own group in it."""
    for entry in pathlib.Path('/proc').glob('[0-9]*/stat'):
        try:
            after_name = entry.read_text(errors='replace').rpartition(')')[2].split()
        except OSError:
            continue
        if int(after_name[3]) == leader:
            yield int(entry.parent.name)


def end_session(process):
    """End a program that took too long, and what it started."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        pass
    for pid in session_members(process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()


def run_bounded(command, log, environment, seconds, directory=None):
    """(exit status or None when time ran out, all output)"""
    with open(log, 'wb') as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env={**os.environ, **environment}, cwd=directory, start_new_session=True)
    started.add(process)
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        status = None
        end_session(process)
    started.remove(process)
    return status, log.read_text(errors='replace')


def judge(name, status, output, check_outcomes):
    """(outcomes, skipped tests): its tests' own, and one of its end where that is bad."""
    end = {None: 'not done in time', 0: ''}.get(status, f'exit status {status}')
    if status == SKIP:
        return [], [(name, (output.strip().splitlines() or ['it gave no reason'])[-1])]
    outcomes, skips = check_outcomes, [
        (f'{name}: {what}', why) for what, why in sorted(set(LEFT_OUT.findall(output)))]
    if outcomes is None:
        unittest = results.read_unittest(output, name)
        if unittest is None:
            return [results.Outcome(name, name, results.OTHER, status == 0, end)], []
        outcomes, skips = unittest
    if not outcomes and not skips and status == 0:
        end = 'no test was run'
    if end and all(o.passed for o in outcomes):
        outcomes = [*outcomes, results.Outcome(name, '(its end)', results.OTHER, False, end)]
    return outcomes, skips


def run_one(test, logs, manner, columns):
    """Run one of meson's tests and read what it said."""
    name, bound = test['name'], (test['timeout'] or BOUND) * manner.slower
    check_log = logs / f'{name}.xml'
    check_log.unlink(missing_ok=True)
    environment = {
        'CK_XML_LOG_FILE_NAME': str(check_log),
        'CK_TIMEOUT_MULTIPLIER': str(manner.slower),
        **manner.environment, **test['env'],
    }
    start = time.monotonic()
    log = logs / f'{name}.log'
    command = [*manner.wrapper, *test['cmd']]
    status, output = run_bounded(command, log, environment, bound, test['workdir'])
    seconds = time.monotonic() - start
    checks = None
    if check_log.exists():
        checks = results.read_check_log(check_log, name, columns)
    outcomes, skips = judge(name, status, output, checks)
    if outcomes:
        outcomes = [*outcomes, *manner.examine(name, output)]
    return Run(name, outcomes, skips, seconds, output, log)


def read_seconds(record):
    """What each test took last time, as far as that is known."""
    try:
        return json.loads(record.read_text())
    except (OSError, ValueError):
        return {}


def longest(records):
    """What each test took, where it took longest: of use until a record of its own is there."""
    took = {}
    for record in records:
        for name, seconds in read_seconds(record).items():
            took[name] = max(seconds, took.get(name, 0))
    return took


def about(test, group):
    """About how many seconds a test will take.

    What a shorter run of the same took says nothing of one that TEST_LEVEL makes longer.
    """
    own = read_seconds(group.logs / 'seconds.json')
    leveled = 'TEST_LEVEL' in {**group.manner.environment, **test['env']}
    elsewhere = {} if leveled else longest(group.logs.parent.glob('*/seconds.json'))
    return own.get(test['name'], elsewhere.get(test['name'], test['timeout'] or BOUND))


def in_order(groups):
    """[(test, group)]: those that took long last time, or may, where that is not known, first:
    a long one that begins last has the machine to itself and leaves the most of it idle.
    """
    found = [(test, group) for group in groups for test in group.tests]
    return sorted(found, key=lambda one: -about(*one))


def run_in_pool(jobs, wanted, columns):
    """Yield (group, Run) for each test as it ends."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(run_one, test, group.logs, group.manner, columns): group
                   for test, group in wanted}
        try:
            for future in concurrent.futures.as_completed(futures):
                yield futures[future], future.result()
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(started):
                end_session(process)
            raise


def run_tests(groups, columns):
    """The tests of several groups side by side, as if they were one; those that can't share
    the machine come last.
    """
    seconds = {group.logs: read_seconds(group.logs / 'seconds.json') for group in groups}
    wanted = in_order(groups)
    for group in groups:
        group.logs.mkdir(parents=True, exist_ok=True)
    for jobs, alone in ((JOBS, False), (1, True)):
        chosen = [(test, group) for test, group in wanted if test['is_parallel'] is not alone]
        for group, run in run_in_pool(jobs, chosen, columns):
            seconds[group.logs][run.name] = run.seconds
            yield group, run
    for logs, took in seconds.items():
        (logs / 'seconds.json').write_text(json.dumps(took))
