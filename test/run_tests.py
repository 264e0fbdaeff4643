#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build and run the tests: what `./run test` starts.

Without an option the quick whole: gcc and clang with warnings as errors, every suite on
every backend, the packaging, the programs from outside.  --thorough is what CI runs
besides: the same suites under sanitizers and valgrind, without libuv, and the random and
timed ones longer.  --full is --thorough with every size at its full.  SUITE names suites
of test/meson.build, files of test/python and test/packaging, or those directories.

The last line is `N passed, N failed`; the exit status is 0 only if none failed.
"""

import argparse
import collections
import fnmatch
import re
import resource
import subprocess
import sys
import time

import build
import results
import running
from running import Manner

LONG = {'thorough': 900, 'full': 24 * 3600}  # seconds for a suite at length
MANY = 50  # failures are listed no longer than this
LAST_LINES = 80  # of a failed program's output
NOISE = re.compile(r'--\d+--')  # valgrind on system calls that are newer than it
LOGS = build.BUILD / 'logs'
TEST = build.TOP / 'test'

# How far the suites go whose length a variable, or else the last argument, sets: less
# where all is slow.
Sizes = collections.namedtuple('Sizes', 'variable sanitized valgrind thorough full')
SIZES = {
    'cancel': Sizes('TEST_ROUNDS', 100_000, 20_000, 1_000_000, 10_000_000),
    'endurance': Sizes('TEST_ROUNDS', 5_000, 1_000, 100_000, 1_000_000),
    'executor': Sizes('TEST_ROUNDS', 5_000, 1_000, 200_000, 1_000_000),
    'interrupts': Sizes('TEST_ROUNDS', 300, 100, 20_000, 100_000),
    'lockstep': Sizes('', 20_000, 2_000, 1_000_000, 100_000_000),
    'signals_many': Sizes('TEST_ROUNDS', 5_000, 1_000, 100_000, 1_000_000),
    'streams': Sizes('TEST_ROUNDS', 100, 10, 10_000, 100_000),
    'threads': Sizes('TEST_ROUNDS', 5_000, 500, 100_000, 1_000_000),
    'threadsafe': Sizes('TEST_ROUNDS', 5_000, 500, 100_000, 1_000_000),
    'time': Sizes('TEST_WAITS', 1_000, 200, 20_000, 100_000),
    'timers_random': Sizes('TEST_TIMER_OPERATIONS', 20_000, 5_000, 1_000_000, 10_000_000),
}

# Tests that judge CPU time or memory would judge the instrument's: this tells them.
INSTRUMENTED = {'TEST_INSTRUMENTED': '1'}
SANITIZERS = {
    **INSTRUMENTED,
    'ASAN_OPTIONS': 'detect_leaks=1:abort_on_error=1:detect_stack_use_after_return=1',
    'UBSAN_OPTIONS': 'abort_on_error=1:print_stacktrace=1',
    'TSAN_OPTIONS': 'halt_on_error=1:second_deadlock_stack=1:die_after_fork=0:'
                    f"suppressions='{TEST / 'tsan.supp'}'",
}
VALGRIND = [
    'valgrind', '-q', '--error-exitcode=99', '--leak-check=full', '--fair-sched=try',
    '--errors-for-leak-kinds=definite,possible', '--num-callers=30',
]
# What can't be tested so: instrument, 'suite' or 'suite test backend' (* stands for any),
# and why.
COUNTS = 'it counts passes within milliseconds, which valgrind stretches'
PSELECT = 'valgrind 3.19 answers EFAULT where a signal interrupts pselect6'
UNFIT = [
    ('tsan', 'interrupts', 'TSan holds signals back while select(2) waits'),
    ('valgrind', 'alarms * select', PSELECT),
    ('valgrind', 'interrupts * select', PSELECT),
    ('valgrind', 'signals_many * select', PSELECT),
    ('valgrind', 'signals every_signal_that_can_be_caught_has_a_handler *',
     'valgrind keeps the last signal for itself'),
    ('tsan', 'reactor_fork', 'threads that are made after a fork are beyond TSan'),
    ('valgrind', 'loop * select', PSELECT),
    ('valgrind', 'attach', COUNTS),
    ('valgrind', 'attach_program', COUNTS),
    ('valgrind', 'stats', COUNTS),
    ('valgrind', 'reactor_fork',
     'a forked child has lost what libuv allocated for the threads of its parent'),
]
JUDGES = 'it judges the program that was built as users build it'


def fixed_addresses():
    """gcc 12's sanitizers fail to start, now and then, under some kernels' randomisation."""
    command = ['setarch', '-R']
    try:
        works = subprocess.run([*command, 'true'], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        works = False
    return command if works else []


def unfit(instrument, name):
    """Why the instrument can't test it, or None."""
    for of_instrument, pattern, reason in UNFIT:
        if of_instrument == instrument and fnmatch.fnmatchcase(name, pattern):
            return reason
    return None


def leave_out(run, instrument):
    """The run without what the instrument can't test."""
    kept, skips = [], list(run.skips)
    for o in run.outcomes:
        reason = unfit(instrument, f'{o.suite} {o.test} {o.column}')
        if reason:
            skips.append((f'{o.suite} {o.test} ({o.column}) under {instrument}', reason))
        else:
            kept.append(o)
    return run._replace(outcomes=kept, skips=skips)


class Session:
    """What was asked for, and what has come of it so far."""

    def __init__(self, options):
        self.wanted = set(options.suites)
        self.level = 'full' if options.full else 'thorough' if options.thorough else 'quick'
        self.columns = results.Columns(TEST)
        self.outcomes = []
        self.skips = []
        self.known = set()

    def wants(self, *names):
        return not self.wanted or not self.wanted.isdisjoint(names)

    def add(self, run):
        """Print a run's line, and its output if it failed."""
        failed = [o for o in run.outcomes if not o.passed]
        self.outcomes += run.outcomes
        self.skips += run.skips
        said = f'{len(run.outcomes) - len(failed)} passed'
        said += f', {len(failed)} FAILED' if failed else ''
        said += f', {len(run.skips)} skipped' if run.skips else ''
        print(f'  {run.name:<28}{run.seconds:6.1f} s  {said}', flush=True)
        for outcome in failed[:MANY]:
            print(f'    {results.describe(outcome)}')
        if failed and run.output:
            lines = [line for line in run.output.rstrip().splitlines() if not NOISE.match(line)]
            print(*(f'    | {line}' for line in lines[-LAST_LINES:]), f'    in {run.log}',
                  sep='\n', flush=True)

    def make(self, name):
        """Build build/<name>; None, and one more failure, if it can't be built."""
        start = time.monotonic()
        print(f'building {name}', flush=True)
        try:
            directory, output = build.build(name), ''
        except build.BuildError as error:
            directory, output = None, str(error)
        outcome = results.Outcome(
            'builds', name, results.OTHER, directory is not None, 'the build failed')
        self.add(running.Run(
            f'build {name}', [outcome], [], time.monotonic() - start, output,
            build.BUILD / f'{name}.log'))
        return directory

    def choose(self, directory):
        """The build's tests that belong to this level and were asked for."""
        beyond = {'quick': {'thorough', 'full'}, 'thorough': {'full'}, 'full': set()}
        tests = running.read_tests(directory)
        self.known.update(name for t in tests for name in [t['name'], *t['suite']])
        return [t for t in tests if beyond[self.level].isdisjoint(t['suite'])
                and self.wants(t['name'], *t['suite'])]

    def run(self, title, tests, manner=Manner()):
        """Run tests and print what comes of them."""
        if tests:
            print(title, flush=True)
        logs = LOGS / title.replace(' ', '-')
        for run in running.run_tests(tests, logs, manner, self.columns):
            self.add(leave_out(run, manner.instrument))


def python_test(path, *arguments):
    """A Python test program, in the form of one of meson's tests."""
    return {
        'name': path.stem[len('test_'):], 'cmd': [sys.executable, str(path), *arguments, '-v'],
        'env': {}, 'timeout': 600, 'workdir': None, 'is_parallel': True, 'suite': [],
    }


def python_tests(session, group, *arguments):
    """The Python test programs of a directory, as far as they are wanted."""
    tests = [python_test(path, *arguments)
             for path in sorted((TEST / group).glob('test_*.py'))]
    session.known.update(name for t in tests for name in [group, t['name']])
    return [t for t in tests if session.wants(group, t['name'])]


def packaging(session):
    session.run('the packaging', python_tests(session, 'packaging'),
                Manner({'TEST_LEVEL': session.level}))


def programs(session, directory, title='the programs', manner=Manner()):
    tests = python_tests(session, 'python', '--programs', str(directory / 'demo'))
    session.run(title, tests, manner)


def quick(session):
    directory = session.make('gcc')
    if directory is not None:
        tests = session.choose(directory)
        session.run('the suites', tests, Manner({'MALLOC_PERTURB_': '165'}))
        programs(session, directory)
    packaging(session)
    if not session.wanted:
        session.make('clang')


def sized(test, column):
    """The test at one of its sizes."""
    sizes = SIZES.get(test['name'])
    if sizes is None:
        return test
    size = str(getattr(sizes, column))
    if sizes.variable == '':
        return {**test, 'cmd': [*test['cmd'][:-1], size]}
    return {**test, 'env': {**test['env'], sizes.variable: size}}


def instrumented(session, tests, manner, size):
    """The suites under an instrument, at its size."""
    chosen = []
    for test in tests:
        is_script = test['cmd'][0].rpartition('/')[2].startswith('python')
        reason = JUDGES if is_script else unfit(manner.instrument, test['name'])
        if reason:
            session.skips.append((f'{test["name"]} under {manner.instrument}', reason))
        else:
            chosen.append(sized(test, size))
    session.run(f'under {manner.instrument}', chosen, manner)


def sanitized(session, name):
    """The suites of a sanitizer's build; returns its directory and the manner to use it."""
    manner = Manner(SANITIZERS, fixed_addresses(), 4, name)
    directory = session.make(name)
    if directory is not None:
        instrumented(session, session.choose(directory), manner, 'sanitized')
    return directory, manner


def at_length(session, tests):
    """The random and the timed suites, at this level's size."""
    longer = [
        {**sized(test, session.level), 'timeout': LONG[session.level]}
        for test in tests if test['name'] in SIZES]
    for test in longer:
        size = getattr(SIZES[test['name']], session.level)
        print(f'{test["name"]}: {SIZES[test["name"]].variable or "steps"}={size}')
    session.run('at length', longer,
                Manner({'CK_TIMEOUT_MULTIPLIER': str(LONG[session.level] // 60)}))


def thorough(session):
    directory = session.make('gcc')
    if directory is None:
        return
    tests = session.choose(directory)
    asan, manner = sanitized(session, 'asan')
    if asan is not None:
        programs(session, asan, 'the programs under asan', manner)
    sanitized(session, 'tsan')
    instrumented(session, tests, Manner(INSTRUMENTED, VALGRIND, 20, 'valgrind'), 'valgrind')
    without = session.make('without-libuv')
    if without is not None:
        session.run('without libuv', session.choose(without))
    at_length(session, tests)
    packaging(session)


def close(session):
    """The table, what was skipped, the failures once more, the counts."""
    shown = [o for o in session.outcomes if o.suite != 'builds']
    failures = [o for o in session.outcomes if not o.passed]
    print('', results.table(shown), '', sep='\n')
    for (name, reason), times in collections.Counter(session.skips).items():
        print(f'skipped {name}: {reason}' + (f' ({times} times)' if times > 1 else ''))
    for outcome in failures[:MANY]:
        print(f'{outcome.suite}: {results.describe(outcome)}')
    if len(failures) > MANY:
        print(f'and {len(failures) - MANY} failures more, above')
    print(f'{len(session.outcomes) - len(failures)} passed, {len(failures)} failed')
    return 0 if session.outcomes and not failures else 1


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f'run test: {message}\n')


def main():
    parser = Parser(prog='./run test', description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument('--thorough', action='store_true', help='what CI runs besides')
    sizes.add_argument('--full', action='store_true', help='the same at full size')
    parser.add_argument('suites', nargs='*', metavar='SUITE', help='run no other')
    session = Session(parser.parse_args())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    start = time.monotonic()
    (quick if session.level == 'quick' else thorough)(session)
    unknown = session.wanted - session.known
    if unknown and not any(o.suite == 'builds' and not o.passed for o in session.outcomes):
        parser.error(f'there is no suite {", ".join(sorted(unknown))}; there are '
                     + ', '.join(sorted(session.known)))
    print(f'\nin {time.monotonic() - start:.0f} s')
    return close(session)


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit('run test: interrupted')
