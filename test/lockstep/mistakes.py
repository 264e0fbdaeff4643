#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does lockstep find a mistake, and does it say it in a few lines that can be done again?

Usage: lockstep_mistakes.py LOCKSTEP_PROGRAM

The program makes the mistake itself (--mistake).  Each is found from several seeds; what
is left of the sequence is at most a handful of operations, gives the same difference when
it is replayed, and none without the mistake.
"""

import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

SEEDS = 3
STEPS = 100_000
HANDFUL = 5  # open, register, modify to pause, modify to go on; and one to spare
BOUND = 100  # seconds: more than it takes to shrink anything

program = pathlib.Path(sys.argv[1]).resolve()


def lockstep(*arguments, directory='.'):
    """(exit status, its lines)"""
    done = subprocess.run([program, *map(str, arguments)], cwd=directory, timeout=BOUND,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout.splitlines()


def read_script(path):
    """(operations, the difference at the end)"""
    *operations, difference = path.read_text().splitlines()
    return operations, difference


class Mistakes(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        seed = int(os.environ.get('TEST_SEED') or random.SystemRandom().getrandbits(32))
        print(f'TEST_SEED={seed}', flush=True)
        self.random = random.Random(seed)

    def find(self, mistake):
        """Let it find the mistake; the script's path."""
        seed = self.random.getrandbits(63)
        arguments = [f'--mistake={mistake}', STEPS, seed]
        status, lines = lockstep(*arguments, directory=self.directory.name)
        self.assertEqual(status, 1, lines)
        script = pathlib.Path(self.directory.name, f'lockstep-{seed}.script')
        self.assertEqual(lines[-1], f'again with: lockstep --replay {script.name}')
        self.assertEqual(script.read_text().splitlines(), lines[-1 - len(
            script.read_text().splitlines()):-1])
        return script

    def check(self, mistake, words):
        for _ in range(SEEDS):
            script = self.find(mistake)
            operations, difference = read_script(script)
            self.assertLessEqual(len(operations), HANDFUL, operations)
            self.assertRegex(difference, words)
            again = lockstep(f'--mistake={mistake}', '--replay', script)
            self.assertEqual(again, (1, [*operations, difference]))
            without = lockstep('--replay', script)
            self.assertEqual(without, (0, [*operations, 'no difference']))

    def test_a_wrong_answer_is_found_and_told_in_a_handful_of_operations(self):
        self.check('mask', r'^# poll: reported 0 of \d+, poll\(2\) says \S*WRITE')

    def test_the_end_of_the_process_is_found_and_told_in_a_handful_of_operations(self):
        self.check('abort', r'^# all: ended by signal 6 \(Aborted\)$')

    def test_what_is_no_operation_is_refused(self):
        script = pathlib.Path(self.directory.name, 'script')
        for line in ['register(203, READ, 64);', 'open(300, tcp);', 'sleep();', 'wait()']:
            script.write_text(line + '\n')
            self.assertEqual(lockstep('--replay', script), (2, []))


if __name__ == '__main__':
    del sys.argv[1]
    unittest.main(verbosity=2)
