#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""wakeup.pml under Spin: the model as it is has no error in any state that it can reach,
and each mistake that can be put into it is found.

A search counts only when it was whole: neither depth nor memory ended it early.
"""

import collections
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE / 'wakeup.pml'
LIB = HERE.parent.parent / 'lib'
PATIENCE = 240  # seconds for one tool
MEGABYTES = 900
DEPTH = 10_000
HASH_BITS = 21

# Threads that post and threads that wake, and how often each.
THREADS = {
    'two_post_twice': {'POSTERS': 2, 'POSTS': 2, 'WAKERS': 0},
    'one_posts_one_wakes': {'POSTERS': 1, 'POSTS': 3, 'WAKERS': 1, 'WAKES': 2},
    'two_post_one_wakes': {'POSTERS': 2, 'POSTS': 1, 'WAKERS': 1, 'WAKES': 2},
}
SAFETY = ['-DSAFETY', '-DNOCLAIM']  # assertions, and threads that sleep for ever
LIVENESS = []  # the formula `woken`
ASLEEP = 'invalid end state'
FREED = r'assertion violated  *!\(freed\)'
MORE_THAN_ONE = r'assertion violated \(count==1\)'
DISORDER = r'assertion violated \(ran\[.*'

# -DMISTAKE, what it is, the kind of search, the options of that search, what is found.
MISTAKES = [
    (1, 'the_flag_falls_before_the_descriptor_is_read', SAFETY, ['-A'], ASLEEP),
    (1, 'the_flag_falls_early_and_two_are_written', SAFETY, [], MORE_THAN_ONE),
    (1, 'the_flag_falls_early_and_no_wait_returns', LIVENESS, ['-a', '-A'],
     'acceptance cycle'),
    (2, 'a_task_is_posted_after_the_send', SAFETY, [], ASLEEP),
    (3, 'close_does_not_wait_for_senders', SAFETY, [], FREED),
    (4, 'a_sender_is_counted_after_its_post', SAFETY, [], FREED),
    (5, 'the_inbox_is_emptied_without_its_lock', SAFETY, [], ASLEEP),
    (6, 'the_wakeup_is_taken_and_not_the_tasks', SAFETY, [], ASLEEP),
    (7, 'what_was_posted_last_is_taken_first', SAFETY, [], DISORDER),
    (8, 'a_return_is_requested_after_the_send', SAFETY, [], ASLEEP),
    (9, 'the_look_for_the_first_is_before_the_lock', SAFETY, [], ASLEEP),
]

Search = collections.namedtuple('Search', 'errors found whole unreached states said')


def run(command, directory):
    """A tool's output; the test fails with it when the tool does."""
    ended = subprocess.run(command, cwd=directory, text=True, timeout=PATIENCE,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
    if ended.returncode != 0:
        raise AssertionError(f'{command} gave {ended.returncode}:\n{ended.stdout}')
    return ended.stdout


def read(said):
    """What pan printed, as a Search."""
    unreached = set()
    for process, states in re.findall(r'unreached in (.*)\n((?:\t.*\n)*)', said):
        # A number stands for one place, whatever the sizes are.
        unreached |= {(process, *state) for state in
                      re.findall(r'\twakeup\.pml:(\d+), state (\d+)', states)}
    warnings = re.search(
        r'max search depth too small|reached -DMEMLIM|out of memory|not completed', said)
    found = re.search(r'^pan:1: (.*) \(at depth', said, re.MULTILINE)
    return Search(
        errors=int(re.search(r'errors: (\d+)', said)[1]), found=found[1] if found else '',
        whole=warnings is None, unreached=unreached,
        states=int(re.search(r'(\d+) states, stored', said)[1]), said=said)


def search(kind, options, **sizes):
    """Spin's search of the model with these sizes."""
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(MODEL, directory)
        defines = [f'-D{name}={size}' for name, size in sizes.items()]
        run(['spin', *defines, '-a', MODEL.name], directory)
        run(['cc', '-O1', '-w', *kind, f'-DMEMLIM={MEGABYTES}', '-o', 'pan', 'pan.c'],
            directory)
        return read(run(['./pan', f'-m{DEPTH}', f'-w{HASH_BITS}', *options], directory))


def setUpModule():
    if not shutil.which('spin'):
        raise unittest.SkipTest('spin is not installed')


class Model(unittest.TestCase):
    def prove(self, kind, options, sizes):
        result = search(kind, options, **sizes)
        self.assertEqual(result.errors, 0, result.said)
        self.assertTrue(result.whole, result.said)
        self.assertGreater(result.states, 10_000)
        return result

    def test_every_statement_is_reached(self):
        """Sizes with no waker leave the wakers out: others have them."""
        results = [self.prove(SAFETY, [], sizes) for sizes in THREADS.values()]
        self.assertEqual(set.intersection(*(r.unreached for r in results)), set())

    def test_a_search_that_ended_early_is_no_proof(self):
        self.assertFalse(read(run(['sh', '-c', 'echo "$0"', (
            'error: max search depth too small\nState-vector 80 byte, errors: 0\n'
            '  1 states, stored')], HERE)).whole)

    def test_the_functions_that_it_names_are_the_librarys(self):
        named = set(re.findall(r'/\* (sel_\w+)', MODEL.read_text()))
        sources = ''.join(path.read_text() for path in sorted(LIB.rglob('*.[ch]')))
        self.assertGreater(len(named), 8)
        for name in named:
            self.assertRegex(sources, rf'\b{name}\([^;]*\)\n\{{', name)


def keeps_its_promises(kind, options, sizes):
    def test(self):
        self.prove(kind, options, sizes)
    return test


def is_found(number, kind, options, expected):
    def test(self):
        sizes = THREADS['one_posts_one_wakes' if number == 8 else 'two_post_twice']
        result = search(kind, options, MISTAKE=number, **sizes)
        self.assertGreater(result.errors, 0, result.said)
        self.assertRegex(result.found, expected)
    return test


for _name, _sizes in THREADS.items():
    setattr(Model, f'test_{_name}_and_each_call_ends_a_wait',
            keeps_its_promises(LIVENESS, ['-a'], _sizes))
for _number, _name, *_how in MISTAKES:
    setattr(Model, f'test_found_when_{_name}', is_found(_number, *_how))

if __name__ == '__main__':
    unittest.main()
