# SPDX-License-Identifier: MIT
"""One session of tests: what was asked for, what has come of it, and the account of it.

Whatever is run goes through Session.add(), so that the counts at the end are of all.
"""

import collections
import contextlib
import os
import re
import time

import build
from harness import results, running
from harness.instruments import leave_out, unfit
from harness.running import Manner

MANY = 50  # failures are listed no longer than this
LAST_LINES = 80  # of a failed program's output
NOISE = re.compile(r'--\d+--')  # valgrind on system calls that are newer than it
LOGS = build.BUILD / 'logs'
TEST = build.TOP / 'test'


def cpu_seconds():
    """What this process and all that it has waited for took of the cores."""
    return sum(os.times()[:4])


class Spent:
    """What a group of tests took: of time, of the cores, and its longest test."""

    def __init__(self):
        self.seconds = self.cpu = 0
        self.longest = 0, ''

    def describe(self, group):
        seconds, test = self.longest
        which = f', {seconds:.0f} s of it {test}' if seconds > self.seconds / 2 else ''
        return (f'{self.seconds:6.0f} s  {group} ({self.cpu / self.seconds:.1f} cores busy'
                f'{which})')


def expected(tests, logs):
    """About how long they will run, where all have run before."""
    took = running.read_seconds(logs / 'seconds.json')
    if not all(test['name'] in took for test in tests):
        return ''
    seconds = sum(took[test['name']] / (running.JOBS if test['is_parallel'] else 1)
                  for test in tests)
    return f', about {seconds:.0f} s'


class Session:
    """What was asked for, and what has come of it so far."""

    def __init__(self, options):
        self.wanted = set(options.suites)
        self.level = 'full' if options.full else 'thorough' if options.thorough else 'quick'
        self.columns = results.Columns(TEST)
        self.outcomes = []
        self.logs = {}  # of each (suite, test) that failed
        self.skips = []
        self.known = set()
        self.notes = []  # lines for the end
        self.is_quiet = False  # of what passed
        self.spent = collections.defaultdict(Spent)  # on each group of tests

    def wants(self, *names):
        return not self.wanted or not self.wanted.isdisjoint(names)

    def add(self, run):
        """Print a run's line, and its output if it failed."""
        failed = [o for o in run.outcomes if not o.passed]
        self.logs.update({(o.suite, o.test): run.log for o in failed})
        self.outcomes += run.outcomes
        self.skips += run.skips
        said = f'{len(run.outcomes) - len(failed)} passed'
        said += f', {len(failed)} FAILED' if failed else ''
        said += f', {len(run.skips)} skipped' if run.skips else ''
        if failed or not self.is_quiet:
            print(f'  {run.name:<28}{run.seconds:6.1f} s  {said}', flush=True)
        for outcome in failed[:MANY]:
            print(f'    {results.describe(outcome)}')
        if failed and run.output:
            lines = [line for line in run.output.rstrip().splitlines() if not NOISE.match(line)]
            print(*(f'    | {line}' for line in lines[-LAST_LINES:]), f'    in {run.log}',
                  sep='\n', flush=True)

    def make(self, name, *targets):
        """Build build/<name>, or targets of it; None, and one more failure, if it can't be."""
        start = time.monotonic()
        print(f'building {name}; what is said goes to {build.BUILD / name}.log', flush=True)
        with self.spending('building'):
            try:
                directory, output = build.build(name, *targets), ''
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

    def fit(self, tests, instrument):
        """Those of which an instrument, or a circumstance, leaves something to be tested."""
        kept = []
        for test in tests:
            reason = unfit(instrument, test['name'])
            if reason:
                self.skips.append((f'{test["name"]} under {instrument}', reason))
            else:
                kept.append(test)
        return kept

    def run(self, title, tests, manner=Manner()):
        """Run tests and print what comes of them."""
        self.run_together(title, [self.group(title, tests, manner)])

    def group(self, title, tests, manner=Manner()):
        """What run_together() takes: tests, to be run in one manner."""
        logs = LOGS / title.replace(' ', '-')
        if tests and not self.is_quiet:
            print(f'{title}: {len(tests)} to run{expected(tests, logs)}', flush=True)
        return running.Group(tests, logs, manner)

    def run_together(self, title, groups):
        """Run groups of tests side by side: where one ends no core is idle."""
        with self.spending(title) as spent:
            for group, run in running.run_tests(groups, self.columns):
                name = ', '.join(filter(None, [run.name, group.manner.instrument]))
                self.add(leave_out(run, group.manner.instrument)._replace(name=name))
                spent.longest = max(spent.longest, (run.seconds, name))

    @contextlib.contextmanager
    def spending(self, group):
        """What the block takes goes into a group of tests."""
        spent = self.spent[group]
        start, cpu = time.monotonic(), cpu_seconds()
        yield spent
        spent.seconds += time.monotonic() - start
        spent.cpu += cpu_seconds() - cpu


def close(session):
    """The table, what was skipped, the failures once more, the counts."""
    shown = [o for o in session.outcomes if o.suite != 'builds']
    failures = [o for o in session.outcomes if not o.passed]
    print('', results.table(shown), '', sep='\n')
    for group, spent in session.spent.items():
        if spent.seconds >= 0.5:
            print(spent.describe(group))
    for (name, reason), times in collections.Counter(session.skips).items():
        print(f'skipped {name}: {reason}' + (f' ({times} times)' if times > 1 else ''))
    print(*session.notes, sep='\n', end='\n' if session.notes else '')
    for outcome in failures[:MANY]:
        print(f'{outcome.suite}: {results.describe(outcome)}\n'
              f'    in {session.logs[outcome.suite, outcome.test]}')
    if len(failures) > MANY:
        print(f'and {len(failures) - MANY} failures more, above')
    print(f'{len(session.outcomes) - len(failures)} passed, {len(failures)} failed')
    return 0 if session.outcomes and not failures else 1
