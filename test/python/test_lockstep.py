#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One random sequence of operations on CPython's selectors and on selkie's backends.

After every step all have to give the same result (an exception there, an errno here), the
same keys, and the same ready descriptors with the same masks.  What selkie does otherwise
on purpose is a DEVIATION with its reason; there CPython is not asked and selkie has to do
what is written down instead.  Each deviation has to be met, or it is not tested.

    python3 test_lockstep.py --programs DIR [unittest's arguments]

The library is taken from DIR/../lib.  TEST_SEED does the same things again, TEST_LEVEL
(quick, thorough, full) says how many.
"""

import collections
import errno
import os
import random
import selectors
import time
import unittest

import binding
import lockstep_world
import support
from lockstep_reference import DEVIATIONS, UNKNOWN, Deviates, Reference
from lockstep_world import EXCEPT, FIRST, NUMBERS, READ, WATCHED

STEPS = {'quick': 15_000, 'thorough': 500_000, 'full': 10_000_000}
LENGTH = 400  # steps until everything is made anew
MOST_LOOKS = 10_000  # until poll(2) says the same before and after

Key = collections.namedtuple('Key', 'events data stale identity file')


class Model:
    """What selkie promises for keys, asked where CPython deviates."""

    def __init__(self, world):
        self.world = world
        self.keys = {}

    def is_gone(self, fd):
        """Does a look at the number show that it is another file, or none?"""
        return fd not in self.world.files or self.world.identity(fd) != self.keys[fd].identity

    def known(self, operation, fd, wanted):
        """The answer of a backend that knows of a stale key what no look shows."""
        if fd not in self.keys or not self.keys[fd].stale:
            return wanted
        return {('register', -errno.EEXIST): 0,
                ('modify', 0): -errno.EBADF}.get((operation, wanted), wanted)

    def register(self, fd, events, data):
        if fd < 0 or not events or events & UNKNOWN:
            return -errno.EINVAL
        if fd in self.keys and not self.is_gone(fd):
            return -errno.EEXIST
        self.keys.pop(fd, None)
        if self.world.refusal(fd):
            return -self.world.refusal(fd)
        self.keys[fd] = Key(
            events, data, False, self.world.identity(fd), self.world.files[fd])
        return 0

    def modify(self, fd, events, data):
        if fd < 0 or fd in self.keys and events & UNKNOWN:
            return -errno.EINVAL
        if fd not in self.keys:
            return -errno.ENOENT
        if events & ~self.keys[fd].events and self.is_gone(fd):
            del self.keys[fd]
            return -errno.EBADF
        self.keys[fd] = self.keys[fd]._replace(events=events, data=data)
        return 0

    def unregister(self, fd):
        if fd < 0:
            return -errno.EINVAL
        return 0 if self.keys.pop(fd, None) else -errno.ENOENT

    def may_report(self, key, view):
        """A stale key: its file, where one keeps it open, or one that looks like it."""
        seen = 0
        for fd, ready in view.items():
            if self.world.identity(fd) == key.identity:
                seen |= ready
        return seen & key.events


class Difference(AssertionError):
    pass


class Sequence:
    """From nothing to nothing: LENGTH steps."""

    def __init__(self, library, chance, met):
        self.chance = chance
        self.met = met  # how often each deviation
        self.world = lockstep_world.World()
        self.model = Model(self.world)
        self.references = [Reference(make, self.world)
                           for make in (selectors.EpollSelector, selectors.PollSelector)]
        self.selectors = [binding.Selector(library, name)
                          for name in binding.available(library)]
        self.last = [FIRST, FIRST + 1]
        self.done = []

    def agree(self, who, what, value, wanted):
        if value != wanted:
            raise Difference(f'{who}: {what} gives {value}, not {wanted}')

    def run(self, steps):
        try:
            for _ in range(steps):
                self.step()
        finally:
            self.world.close_all()
            for one in [*self.references, *self.selectors]:
                one.close()

    def step(self):
        name, = self.chance.choices(list(OPERATIONS), OPERATIONS.values())
        getattr(self, name)(self.choose_number())
        self.compare_keys()
        self.compare_ready()

    def note(self, line):
        self.done.append(line)

    def choose_number(self):
        """Often one of the last two: what is rare happens to one number in a row."""
        if self.chance.random() < 0.25:
            self.last = [FIRST + self.chance.randrange(WATCHED), self.last[0]]
        return self.chance.choice(self.last)

    def choose_events(self):
        """Mostly known bits; now and then none, or one too many."""
        known = self.chance.randrange(1, 8)
        return self.chance.choices([known, 0, UNKNOWN, UNKNOWN | READ], [20, 3, 1, 1])[0]

    def choose_data(self):
        return self.chance.randrange(1, 100)

    def change(self, operation, fd, *arguments):
        """Make it everywhere; all have to give the same."""
        self.note(f'{operation}{(fd, *arguments)}')
        before = self.model.keys.get(fd)
        wanted = getattr(self.model, operation)(fd, *arguments)
        known = self.model.known(operation, fd, wanted)
        if operation == 'register' and wanted == 0 and before is not None:
            for reference in self.references:
                reference.settle(fd)
        for reference in self.references:
            try:
                result = getattr(reference, operation)(fd, *arguments)
            except Deviates as deviates:
                self.met[str(deviates)] += 1
                continue
            self.agree(reference.name, operation, result, wanted)
        for sel in self.selectors:
            result = getattr(sel, operation)(fd, *arguments)
            self.agree(sel.name, operation, result, known if result == known else wanted)
            if result != wanted:
                self.model.keys.pop(fd, None)
        if before is not None and fd not in self.model.keys:
            for sel in self.selectors:
                sel.unregister(fd)
        if fd not in self.model.keys:
            for reference in self.references:
                reference.settle(fd)

    def number(self, fd):
        """Now and then a number that is none, or that is never open."""
        return self.chance.choices([fd, -1, FIRST - 1], [40, 1, 1])[0]

    def register(self, fd):
        self.change('register', self.number(fd), self.choose_events(), self.choose_data())

    def modify(self, fd):
        self.change('modify', self.number(fd), self.choose_events(), self.choose_data())

    def unregister(self, fd):
        self.change('unregister', self.number(fd))

    def lose(self, fd):
        """The number was closed behind everybody's back."""
        key = self.model.keys.get(fd)
        if key is None or key.stale:
            return
        self.model.keys[fd] = key._replace(stale=True)
        for reference in self.references:
            self.met['ghost'] += reference.lose(fd, key.file)

    def open(self, fd):
        kind = self.chance.choice(lockstep_world.KINDS)
        self.note(f'open({fd}, {kind})')
        self.world.open(fd, kind)
        self.lose(fd)

    def close(self, fd):
        fd = self.chance.choice([fd, self.chance.choice(NUMBERS)])
        self.note(f'close({fd})')
        self.world.close(fd)
        self.lose(fd)

    def duplicate(self, fd):
        to = self.chance.choice(NUMBERS)
        if fd not in self.world.files or to == fd:
            return
        self.note(f'dup2({fd}, {to})')
        self.world.duplicate(fd, to)
        self.lose(to)

    def happen(self, fd):
        name = self.chance.choice(list(lockstep_world.HAPPENINGS))
        if fd in self.world.files:
            self.note(f'{name}({fd})')
            self.world.happen(fd, name)

    def start_again(self, fd):
        """End every key and every file."""
        for number in list(self.model.keys):
            self.change('unregister', number)
        self.note('close_all()')
        self.world.close_all()

    def compare_keys(self):
        wanted = {fd: (key.events, key.data) for fd, key in self.model.keys.items()}
        for sel in self.selectors:
            self.agree(sel.name, 'get_map', sel.get_map(), wanted)
        for reference in self.references:
            keys = {fd: (key.events, key.data)
                    for fd, key in reference.selector.get_map().items()}
            self.agree(reference.name, 'get_map', keys, {
                fd: (events & ~EXCEPT, data) for fd, (events, data) in wanted.items()
                if fd not in reference.excused})
        fd = FIRST + self.chance.randrange(WATCHED)
        for sel in self.selectors:
            self.agree(sel.name, f'get_key({fd})', sel.get_key(fd),
                       (fd, *wanted[fd]) if fd in wanted else -errno.ENOENT)

    def wait(self, view):
        """Everybody's answer, {fd: mask}, where poll(2) has said `view`."""
        ready = any(not key.stale and view.get(fd, 0) & key.events
                    for fd, key in self.model.keys.items())
        timeout = 1 if ready and self.chance.random() < 0.1 else 0
        answers = []
        for sel in self.selectors:
            pairs = sel.select(timeout)
            answer = dict(pairs)
            self.agree(sel.name, 'select, each descriptor once,', len(answer), len(pairs))
            answers.append(answer)
        return answers, [reference.select(0) for reference in self.references]

    def compare_ready(self):
        for _ in range(MOST_LOOKS):
            before = self.world.view()
            answers, theirs = self.wait(before)
            if self.world.view() == before:
                break
        for sel, answer in zip(self.selectors, answers):
            strangers = answer.keys() - self.model.keys.keys()
            self.agree(sel.name, 'select, what has no key,', strangers, set())
            for fd in self.model.keys:
                self.compare_pair(sel, fd, answer.get(fd, 0), before, theirs)

    def compare_pair(self, sel, fd, mask, view, theirs):
        key = self.model.keys[fd]
        if key.stale:
            self.met['closed'] += 1
            if mask & ~self.model.may_report(key, view):
                raise Difference(
                    f'{sel.name}: select reports {mask} of {fd}, which was closed')
            return
        wanted = view.get(fd, 0) & key.events
        self.met['EXCEPT'] += wanted & EXCEPT != 0
        self.agree(sel.name, f'select for {fd}, beside poll(2),', mask, wanted)
        for reference, answer in zip(self.references, theirs):
            if fd in reference.excused:
                continue
            if key.events & ~EXCEPT == 0 and fd in answer:
                self.met['paused'] += 1
                self.agree(reference.name, f'select for {fd}, paused,', answer[fd], 0)
            self.agree(f'{sel.name}, beside {reference.name}', f'select for {fd}',
                       mask & ~EXCEPT, answer.get(fd, 0))


OPERATIONS = {'register': 8, 'modify': 8, 'unregister': 4, 'open': 5, 'close': 2,
              'duplicate': 3, 'happen': 16, 'start_again': 0.3}


class Lockstep(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        path = support.programs.parent / 'lib' / 'libselkie.so'
        if not path.exists() or b'__asan_init' in path.read_bytes():
            raise unittest.SkipTest('no shared library here that Python can load')
        cls.library = binding.load(path)
        cls.seed = int(os.environ.get('TEST_SEED') or time.time_ns())
        cls.steps = STEPS[os.environ.get('TEST_LEVEL') or 'quick']
        cls.met = collections.Counter()
        print(f'size: {cls.steps} steps beside CPython, TEST_SEED={cls.seed}', flush=True)

    @classmethod
    def tearDownClass(cls):
        for name, times in cls.met.items():
            print(f'{times} times {name}: {DEVIATIONS[name]}', flush=True)

    def test_selkie_does_what_cpython_does_but_for_what_it_says(self):
        chance = random.Random(self.seed)
        for step in range(0, self.steps, LENGTH):
            sequence = Sequence(self.library, chance, self.met)
            try:
                sequence.run(LENGTH)
            except Difference as difference:
                self.fail('\n'.join([f'from step {step} of seed {self.seed} on:',
                                     *sequence.done, str(difference)]))
        self.assertEqual({name for name, times in self.met.items() if times},
                         DEVIATIONS.keys())


if __name__ == '__main__':
    support.main()
