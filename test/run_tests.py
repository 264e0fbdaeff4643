#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build and run the tests: what `./run test` starts.

Without an option these are the quick tests: gcc and clang with warnings as errors, every
suite on every backend, the packaging, and the programs from outside.  --thorough is what CI
runs besides: the same suites under sanitizers, memcheck and helgrind, with musl, over the
tests' own kqueue and on other architectures; the random and the timed ones for longer; how
much of lib/ they run, with libuv and without; and the analysers.  --full is --thorough with
every size at its largest.  --fresh does what a newcomer does, in newly made Debians:
bookworm, trixie, sid and bookworm-i386, or those that SUITE names.  --anywhere is the quick
suites on a machine that is unusual in some way: in all ways, or in those that SUITE names.
Otherwise SUITE names suites of test/meson.build, files of test/python, test/strangers and
test/packaging, or those directories.

The last line is `N passed, N failed`; the exit status is 0 only if none failed.
"""

import argparse
import pathlib
import re
import resource
import signal
import sys
import time

from harness import analysers, coverage
import anywhere.anywhere as anywhere
import build
import fresh.fresh as fresh
import fuzz.run_fuzz as run_fuzz
from harness.instruments import JUDGES, MANNERS, SANITIZERS, SIZES, SLOW, TAKES_TURNS
from harness.instruments import THREADED, fixed_addresses, sized
from harness.running import Manner
from harness.session import LOGS, Session, close

LONG = {'thorough': 900, 'full': 24 * 3600}  # seconds for a suite at length
SOAK_SECONDS = {'thorough': 60, 'full': 3600}
FUZZ_SECONDS = {'thorough': 15, 'full': 3600}  # for each target
TEST = build.TOP / 'test'
WITHOUT_EPOLL = ['attach', 'contract', 'descriptors', 'executor', 'fork', 'readiness',
                 'reactor_fork', 'signals', 'waits']
SIZE = re.compile(r'^size: (.*)', re.MULTILINE)
COUNTED = re.compile(r'^(?:.* failures injected .*|lockstep: \d+ steps .*)$', re.MULTILINE)


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


def has_more_to_do(session, test):
    """At this level than the quick whole did, or asked for by its name."""
    source = pathlib.Path(test['cmd'][1]).read_text()
    return session.level == 'quick' or session.wanted or 'thorough' in source


def packaging(session):
    bound = 600 if session.level == 'quick' else 2 * LONG['thorough']
    tests = [t for t in python_tests(session, 'packaging') if has_more_to_do(session, t)]
    return [{**t, 'timeout': bound, 'env': {'TEST_LEVEL': session.level}} for t in tests] + [
        t for group in ('contract', 'mutate') for t in python_tests(session, group)
        if has_more_to_do(session, t)]


def documentation(session, directory):
    """The site; what is quick looks at its sources alone."""
    environment = {'TEST_LEVEL': session.level, 'TEST_PROGRAMS': str(directory / 'demo')}
    return [{**t, 'timeout': 1800, 'env': environment} for t in python_tests(session, 'docs')]


def strangers(session, directory):
    """Those in Python: the reactor under asyncio, beside asyncio's own."""
    return python_tests(session, 'strangers', '--programs', str(directory / 'demo'))


def programs(session, directory):
    return python_tests(session, 'python', '--programs', str(directory / 'demo'))


def libraries(session, directory):
    """Other libraries that a selector drives, with their real servers."""
    return python_tests(
        session, 'libraries', '--programs', str(directory / 'test' / 'libraries'))


def soak(session, directory):
    """Both servers under hostile clients, in the form of one of meson's tests."""
    session.known.add('soak')
    seconds = SOAK_SECONDS[session.level]
    command = [sys.executable, str(TEST / 'soak' / 'soak.py'), str(seconds),
               '--programs', str(directory / 'demo')]
    test = {'name': 'soak', 'cmd': command, 'env': {}, 'workdir': None, 'suite': [],
            'timeout': seconds + LONG['thorough'], 'is_parallel': True}
    return [test] if session.wants('soak') else []


def hostile(session, directory):
    """What TEST_LEVEL makes longer of the Python tests: hostile clients, the lockstep, a browser,
    asyncio."""
    tests = [test for test in programs(session, directory)
             if test['name'].startswith(('hostile', 'lockstep', 'monitor'))]
    return [{**test, 'timeout': LONG[session.level]}
            for test in tests + strangers(session, directory)]


def quick(session):
    directory, groups = session.make('gcc'), []
    if directory is not None:
        tests = session.choose(directory) + strangers(session, directory)
        groups += [
            session.group('the suites', tests, Manner({'MALLOC_PERTURB_': '165'})),
            session.group('the programs', programs(session, directory)),
            session.group('the documentation', documentation(session, directory))]
        if session.wanted:
            groups.append(session.group('other libraries', libraries(session, directory)))
    session.run_together('the tests', [
        *groups, session.group('the packaging', packaging(session))])
    if not session.wanted:
        session.make('clang')


def repeated(session, times):
    """What was asked for, again and again, until something fails."""
    directory = session.make('gcc')
    if directory is None:
        return
    tests = session.choose(directory) + strangers(session, directory)
    tests += programs(session, directory) + libraries(session, directory)
    session.is_quiet = True
    done = 0
    while tests and done < times and all(o.passed for o in session.outcomes):
        session.run('repeated', tests, Manner({'MALLOC_PERTURB_': '165'}))
        done += 1
        if done % max(1, times // 10) == 0:
            print(f'  {done} of {times} runs', flush=True)
    session.notes.append(f'{done} of {times} runs of ' + ', '.join(sorted(session.wanted)))


def on_backends(session, test, manner):
    """Where all is slow, every test on one backend and the next test on the next; at full
    size, and of what is about threads under TSan, each on all."""
    is_quick = manner.instrument == 'asan' and test['name'] not in SLOW
    is_for_threads = manner.instrument == 'tsan' and test['name'] in THREADED
    if is_quick or is_for_threads or session.level == 'full':
        return test
    return {**test, 'env': {**test['env'], **TAKES_TURNS}}


def is_script(test):
    return test['cmd'][0].rpartition('/')[2].startswith('python')


def instrumented(session, tests, manner, size):
    """The group of the suites under an instrument, at its size."""
    scripts = [t for t in tests if is_script(t)]
    session.skips += [(f'{t["name"]} under {manner.instrument}', JUDGES) for t in scripts]
    fit = session.fit([t for t in tests if t not in scripts], manner.instrument)
    chosen = [sized(on_backends(session, test, manner), size) for test in fit]
    return session.group(f'under {manner.instrument}', chosen, manner)


def sanitized(session, name):
    """A sanitizer's build, or None; how what is in it is run; and the group of its suites."""
    size, slower = ('thorough', 100) if session.level == 'full' else ('sanitized', 4)
    manner = Manner(SANITIZERS, fixed_addresses(), slower, name)
    directory = session.make(name)
    suites = [] if directory is None else session.choose(directory)
    return directory, manner, instrumented(session, suites, manner, size)


def under_instruments(session, tests):
    """The groups of the suites under each, of the programs and of other libraries."""
    asan, manner, suites = sanitized(session, 'asan')
    groups = [suites, sanitized(session, 'tsan')[2]]
    if asan is not None:
        groups += [
            session.group('the programs under asan', programs(session, asan), manner),
            session.group('other libraries under asan', libraries(session, asan), manner)]
    threaded = [test for test in tests if test['name'] in THREADED]
    return groups + [instrumented(session, tests, MANNERS['valgrind'], 'valgrind'),
                     instrumented(session, threaded, MANNERS['helgrind'], 'valgrind')]


def at_length(session, tests):
    """The group of the random and the timed suites, at this level's size."""
    longer = [
        {**sized(test, session.level), 'timeout': LONG[session.level]}
        for test in tests if test['name'] in SIZES]
    for test in longer:
        size = getattr(SIZES[test['name']], session.level)
        print(f'{test["name"]}: {SIZES[test["name"]].variable or "steps"}={size}')
    return session.group('at length', longer,
                         Manner({'CK_TIMEOUT_MULTIPLIER': str(LONG[session.level] // 60)}))


def on_kqueue(session):
    """The groups of the suites on the fifth backend, over the tests' own kqueue: of all, and of
    some where the library has nothing else, neither epoll nor eventfd."""
    groups = []
    manner = Manner({'TEST_BACKEND': 'kqueue'}, slower=4)
    for name, suites in (('kqueue', None), ('kqueue-alone', WITHOUT_EPOLL)):
        targets = [f'test/test_{suite}' for suite in suites or []]
        directory = session.make(name, *targets)
        if directory is None:
            continue
        groups.append(session.group(f'on {name}', [
            test for test in session.choose(directory)
            if not is_script(test) and test['name'] in (suites or [test['name']])], manner))
    return groups


def elsewhere(session):
    """The groups of the suites on kqueue, with another C library, and on other machines: the
    last two without libuv."""
    groups = on_kqueue(session)
    directory = session.make('musl')
    if directory is not None:
        groups.append(session.group('with musl', session.choose(directory)))
    for machine in ('aarch64', 's390x'):
        cross = session.make(machine)
        if cross is not None:
            groups.append(
                instrumented(session, session.choose(cross), MANNERS[machine], 'sanitized'))
    return groups


def counted(session):
    """The builds that count what runs of lib/, none where one fails, and the groups of their
    suites."""
    directories = [session.make(name) for name in coverage.BUILDS]
    if None in directories:
        return [], []
    for directory in directories:
        coverage.forget(directory)
    return directories, [session.group(f'the suites of {directory.name}',
                                       session.choose(directory), MANNERS['coverage'])
                         for directory in directories]


def judge_counts(session, directories):
    """What of lib/ the suites have run, as a test, or told where only some were wanted."""
    if not directories:
        return
    note, run = coverage.judge(directories, LOGS / 'coverage.log')
    if session.wanted:
        print(f'{note}\n{run.output}')
    else:
        session.add(run)
        session.notes.append(note)


def coverage_alone(session):
    directories, groups = counted(session)
    session.run_together('the suites that count', groups)
    judge_counts(session, directories)
    if directories:
        page = coverage.write_html(directories, directories[0] / 'html')
        session.notes.append(f'every line is shown in {page}')


def fuzzed(session):
    """The group of the fuzz targets."""
    session.known.add('fuzz')
    return session.group('the fuzz targets', [
        test for test in run_fuzz.tests(FUZZ_SECONDS[session.level])
        if session.wants('fuzz', test['name'])])


def tell_sizes(session, *groups):
    """For the account: what the tests themselves said of how much they did."""
    for group in groups:
        for test in group.tests:
            log = group.logs / f'{test["name"]}.log'
            said = log.read_text(errors='replace') if log.exists() else ''
            session.notes += COUNTED.findall(said) + SIZE.findall(said)
            if test['suite'] == ['fuzz']:
                session.notes += run_fuzz.last_line(log)


def suites_anywhere(session, wanted=()):
    """The suites that are built, in other circumstances."""
    directory = session.make('gcc')
    if directory is not None:
        anywhere.run(session, wanted, session.choose(directory), programs(session, directory))


def analysed(session, directory):
    """Each analyser over the sources, as a test."""
    names = [name for name in analysers.ANALYSERS if session.wants('analysers', name)]
    session.known.update(['analysers', *analysers.ANALYSERS])
    for name in names:
        with session.spending('the analysers'):
            session.add(analysers.run(name, directory, LOGS / 'analysers'))


def lengthy(session, directory, tests):
    """What takes long by itself, each beside the others."""
    hostile_group = session.group(
        'the programs at length', hostile(session, directory) + soak(session, directory),
        Manner({'TEST_LEVEL': session.level}))
    told = at_length(session, tests), hostile_group, fuzzed(session)
    session.run_together('at length', [*told, session.group(
        'the site, the packaging and the model', [
            *documentation(session, directory), *packaging(session),
            *python_tests(session, 'model')])])
    tell_sizes(session, *told)


def thorough(session):
    directory = session.make('gcc')
    if directory is None:
        return
    tests = session.choose(directory)
    if session.wanted:
        session.run('other libraries', libraries(session, directory))
    directories, counting = counted(session)
    session.run_together('under instruments and elsewhere', [
        *under_instruments(session, tests), *elsewhere(session), *counting])
    judge_counts(session, directories)
    analysed(session, directory)
    lengthy(session, directory, tests)
    suites_anywhere(session)


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f'run test: {message}\n')


def main():
    parser = Parser(prog='./run test', description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument('--thorough', action='store_true',
                       help='run what CI runs besides the quick tests')
    sizes.add_argument('--full', action='store_true', help='run the same at full size')
    sizes.add_argument('--coverage', action='store_true',
                       help='measure what the quick tests run of lib/; in HTML, too')
    sizes.add_argument('--repeat', type=int, default=0, metavar='N',
                       help='run SUITE... N times, or until one fails')
    sizes.add_argument('--fresh', action='store_true',
                       help='do what a newcomer does, in newly made Debians (as root)')
    sizes.add_argument('--anywhere', action='store_true',
                       help='run the quick suites on an unusual machine: '
                       + ', '.join(anywhere.NAMES))
    parser.add_argument('suites', nargs='*', metavar='SUITE', help='run only these')
    options = parser.parse_args()
    if options.fresh:
        return fresh.main(options.suites)
    if options.repeat < 0 or (options.repeat > 0 and not options.suites):
        parser.error('--repeat needs a number and a SUITE')
    circumstances = set(options.suites) & set(anywhere.NAMES) if options.anywhere else set()
    options.suites = [name for name in options.suites if name not in circumstances]
    session = Session(options)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` has it ignored
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    start = time.monotonic()
    if options.coverage:
        coverage_alone(session)
    elif options.anywhere:
        suites_anywhere(session, circumstances)
    elif options.repeat:
        repeated(session, options.repeat)
    else:
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
