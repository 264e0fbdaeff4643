#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run CPython's own tests of asyncio on one loop, and write what came of each.

    asyncio_outcomes.py (stock | LIBRARY | LIBRARY:MISTAKE) TEST... >OUTCOMES

A TEST is a module of test.test_asyncio, or what is in one.  Each line of OUTCOMES is a
test as JSON: its name, what came of it, how many of selkie's loops it made, and what it
said when it failed.
"""

import json
import os
import sys
import unittest

import asyncio_library
import asyncio_loop
import asyncio_mistakes

PACKAGE = 'test.test_asyncio.'
# They start programs and collect garbage for long, and make no loop.
LEFT_OUT = {'test_env_var_debug', 'test_task_del_collect'}


class Outcomes(unittest.TestResult):
    """One line for each test; a part that fails is the test's failure."""

    def __init__(self, output):
        super().__init__()
        self.output = output

    def startTest(self, test):
        super().startTest(test)
        self.outcome, self.said = 'ok', ''
        self.made = asyncio_loop.SelkieEventLoop.made

    def stopTest(self, test):
        super().stopTest(test)
        self.write(test, asyncio_loop.SelkieEventLoop.made - self.made)

    def write(self, test, made):
        line = [test.id().removeprefix(PACKAGE), self.outcome, made, self.said]
        print(json.dumps(line), file=self.output, flush=True)

    def note(self, outcome, test=None, error=None):
        self.outcome = outcome
        if error is not None:
            self.said += self._exc_info_to_string(error, test)

    def addError(self, test, error):
        if isinstance(test, unittest.TestCase):
            self.note('error', test, error)
        else:  # what a module or a class sets up
            self.said = ''
            self.note('error', test, error)
            self.write(test, 0)

    def addFailure(self, test, error):
        self.note('failure', test, error)

    def addSubTest(self, test, part, error):
        if error is not None:
            self.note('failure', test, error)

    def addSkip(self, test, reason):
        self.note('skipped')

    def addExpectedFailure(self, test, error):
        self.note('expected failure')

    def addUnexpectedSuccess(self, test):
        self.note('unexpected success')


def each_of(tests):
    """The tests of a suite."""
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            yield from each_of(test)
        else:
            yield test


def install(loop):
    path, _, mistake = loop.partition(':')
    base = getattr(asyncio_mistakes, mistake) if mistake else asyncio_loop.SelkieEventLoop
    asyncio_loop.install(asyncio_library.Library(path), base)


def main(loop, *names):
    output = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # what the tests print is no outcome
    if loop != 'stock':
        install(loop)
    from test import support
    support.use_resources = []
    tests = unittest.defaultTestLoader.loadTestsFromNames([PACKAGE + n for n in names])
    chosen = [t for t in each_of(tests) if t.id().rpartition('.')[2] not in LEFT_OUT]
    unittest.TestSuite(chosen).run(Outcomes(output))


if __name__ == '__main__':
    main(*sys.argv[1:])
