#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""asyncio as the judge: selkie's reactor under an asyncio event loop, beside CPython's own.

    python3 test_asyncio.py --programs DIR [unittest's arguments]

The library is taken from DIR/../lib.  TEST_SEED does the same programs again, TEST_LEVEL
(quick, thorough, full) says how many; CPython's own tests run at the last two, all of them
at the last.
"""

import asyncio
import gc
import os
import pathlib
import signal
import sys
import threading
import time
import unittest
import warnings

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'python'))

import support  # noqa: E402 (it is found only now)

import asyncio_library  # noqa: E402
import asyncio_loop  # noqa: E402
import asyncio_mistakes  # noqa: E402
import asyncio_programs  # noqa: E402
import asyncio_suite  # noqa: E402

PROGRAMS = {'quick': 20, 'thorough': 500, 'full': 20_000}
MOST = 200  # programs until a mistake is seen; few are enough
PATIENCE = 0.5  # seconds for a program of a loop that may have lost what it waits for

level = os.environ.get('TEST_LEVEL') or 'quick'


def find_library():
    path = support.programs.parent / 'lib' / 'libselkie.so'
    if not path.exists() or b'__asan_init' in path.read_bytes():
        raise unittest.SkipTest('no shared library here that Python can load')
    return path


class Programs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.library = asyncio_library.Library(find_library())
        cls.seed = os.environ.get('TEST_SEED') or str(time.time_ns())
        print(f'size: {PROGRAMS[level]} random programs beside asyncio, TEST_SEED={cls.seed}',
              flush=True)

    def test_random_programs_run_in_the_same_order(self):
        for difference in asyncio_programs.run(self.library, PROGRAMS[level], self.seed):
            self.assertIsNone(difference, difference)

    def test_each_mistake_of_a_loop_is_seen(self):
        """Else the programs would judge nothing."""
        for mistake in asyncio_mistakes.ALL:
            with self.subTest(mistake.__name__), warnings.catch_warnings():
                warnings.simplefilter('ignore')  # of coroutines that such a loop has lost
                found = asyncio_programs.run(self.library, MOST, self.seed, mistake, PATIENCE)
                self.assertTrue(any(found))
                gc.collect()

    def test_what_comes_from_outside_meets_no_stop(self):
        """Else how fast the machine is would decide the order, and neither loop."""
        early, late = asyncio_programs.Early, asyncio_programs.Late
        signalled = asyncio_programs.Signalled
        for kinds in (early, late), (late, early), (signalled, signalled):
            with self.subTest(' '.join(kind.__name__ for kind in kinds)):
                count = len(asyncio_programs.BACKENDS)
                found = asyncio_programs.run(self.library, count, self.seed, kinds=kinds)
                self.assertEqual(list(found), [None] * count)

    def test_an_interruption_ends_a_wait(self):
        """SIGINT, whose handler is Python's, when the loop has nothing to do."""
        for backend in ['stock', *asyncio_programs.BACKENDS]:
            with self.subTest(backend):
                loop = (asyncio.SelectorEventLoop() if backend == 'stock' else
                        asyncio_loop.make_class(self.library, backend)())
                self.check_interruption(loop)

    def check_interruption(self, loop):
        answered, main = threading.Event(), threading.main_thread().ident

        def interrupt():
            loop.call_soon_threadsafe(answered.set)
            answered.wait()
            signal.pthread_kill(main, signal.SIGINT)

        other = threading.Thread(target=interrupt)
        other.start()
        self.assertRaises(KeyboardInterrupt, loop.run_forever)
        other.join()
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()


class Suite(unittest.TestCase):
    count = 0

    @classmethod
    def setUpClass(cls):
        cls.library = find_library()
        cls.modules = asyncio_suite.find_modules(level)
        if not cls.modules:
            raise unittest.SkipTest(
                f'{asyncio_suite.PYTHON} has no test.test_asyncio '
                '(Debian: libpython3.N-testsuite)')

    @classmethod
    def tearDownClass(cls):
        print(f"size: {cls.count} of CPython's tests of asyncio on both loops", flush=True)

    def test_cpythons_own_tests_have_the_same_outcome(self):
        different, needless, count = asyncio_suite.judge(str(self.library), self.modules)
        type(self).count = count
        self.assertFalse(different, asyncio_suite.describe(different))
        self.assertFalse(needless, 'asyncio_private.txt has what does not differ')
        self.assertGreater(count, 500)

    def test_they_see_a_mistake(self):
        loop = f'{self.library}:LastTaskFirst'
        different, _, _ = asyncio_suite.judge(loop, ['test_queues'])
        self.assertTrue(different)


if level == 'quick':
    del Suite  # it takes a minute

if __name__ == '__main__':
    support.main()
