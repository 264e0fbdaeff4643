#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""CPython's own tests of asyncio on its loop and on selkie's, side by side.

    asyncio_suite.py LIBRARY [MODULE...]

Each test has to have the same outcome on both, but for those in asyncio_private.txt.  They
are those of the system's Python, /usr/bin/python3, whose tests Debian has in a package.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = '/usr/bin/python3'
BOUND = 300  # seconds, for a module on one loop
# Those that take long, first.  No loop is made in the modules that are not here, or one
# of mocks.
MODULES = '''
    test_ssl test_tasks test_subprocess test_events test_sendfile test_taskgroups
    test_sslproto test_sock_lowlevel test_base_events test_unix_events test_streams
    test_waitfor test_locks test_timeouts test_threads test_queues test_server
    test_context test_futures2 test_buffered_proto test_eager_task_factory
    test_free_threading test_staggered'''.split()
# They take long or are about TLS, and of the loop they use what the others use, too:
# readers, writers and handlers, and test_events starts programs.
ONLY_FULL = {'test_ssl', 'test_sslproto', 'test_subprocess'}

Outcome = collections.namedtuple('Outcome', 'outcome made said')
NONE = Outcome('not run', 0, '')
ASK = '''
import importlib.util, os, sys
print(os.path.dirname(importlib.util.find_spec('test.test_asyncio').origin))'''


def find_modules(level='full'):
    """Those of a level that this Python has; none where its tests are not installed."""
    try:
        asked = subprocess.run([PYTHON, '-c', ASK], capture_output=True, text=True)
    except OSError:
        return []
    if asked.returncode != 0:
        return []
    directory = pathlib.Path(asked.stdout.strip())
    return [m for m in MODULES if (directory / f'{m}.py').exists()
            and (level == 'full' or m not in ONLY_FULL)]


def open_output():
    """Not a pipe, whose end is only there when every program that is left over has ended."""
    return tempfile.TemporaryFile('w+', errors='replace')


def run_tests(loop, names):
    """{test: Outcome}, and an entry for the program itself where it did not end well."""
    command = [PYTHON, str(HERE / 'asyncio_outcomes.py'), loop, *names]
    environment = {**os.environ, 'PYTHONDONTWRITEBYTECODE': '1', 'LC_ALL': 'C.UTF-8'}
    environment.pop('PYTHONPATH', None)
    with open_output() as output, open_output() as said:
        try:
            status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output,
                                    stderr=said, timeout=BOUND, env=environment).returncode
        except subprocess.TimeoutExpired:
            status = f'not done in {BOUND} s'
        return read_outcomes(names[0], status, *map(read_whole, (output, said)))


def read_whole(file):
    file.seek(0)
    return file.read()


def read_outcomes(program, status, output, said):
    outcomes = {}
    for line in output.splitlines():
        name, outcome, made, words = json.loads(line)
        outcomes[name] = Outcome(outcome, made, words)
    if status != 0:
        outcomes[f'{program}, as a program'] = Outcome(f'ended with {status}', 1, said)
    return outcomes


def is_test(name):
    """Else it is what could not be loaded or set up, or the program's own end."""
    return name.startswith('test_') and ' ' not in name


def run_both(loop, names):
    """[(test, stock's, ours)] of the tests that make a loop."""
    ours = run_tests(loop, names)
    wanted = [name for name, outcome in ours.items() if outcome.made or outcome.said]
    asked = wanted if all(map(is_test, wanted)) else names
    stock = run_tests('stock', asked) if asked else {}
    return [(name, stock.get(name, NONE), ours[name]) for name in wanted]


def differ(results):
    return [r for r in results if r[1].outcome != r[2].outcome]


def read_private():
    """{test: why it may differ}"""
    lines = (HERE / 'asyncio_private.txt').read_text().splitlines()
    return dict(line.split(': ', 1) for line in lines if not line.startswith('#'))


def judge(loop, modules):
    """(what differs and may not, what may and does not, how many were compared).

    What differs is run once more, by itself: some of these tests measure time.
    """
    private, results = read_private(), []
    with concurrent.futures.ThreadPoolExecutor((os.cpu_count() or 1) + 2) as pool:
        for some in pool.map(lambda module: run_both(loop, [module]), modules):
            results += some
    different = [r for r in differ(results) if r[0] not in private]
    again = [name for name, _, _ in different]
    if again and all(map(is_test, again)):
        different = differ(run_both(loop, again))
    needless = {name for name, stock, ours in results
                if name in private and stock.outcome == ours.outcome}
    return different, needless, len(results)


def describe(different):
    return '\n'.join(
        f'{name}: {stock.outcome} on the stock loop, {ours.outcome} on selkie\'s\n{ours.said}'
        for name, stock, ours in different)


def main(loop, *modules):
    start = time.monotonic()
    different, needless, count = judge(loop, modules or find_modules())
    print(f'{count} tests, {len(different)} differ, in {time.monotonic() - start:.0f} s')
    print(describe(different), *needless, sep='\n')
    return 1 if different or needless or not count else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
