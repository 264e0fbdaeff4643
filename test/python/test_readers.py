#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same readers and writers, added and removed at random, on asyncio's loop and selkie's.

Each loop has sockets of its own, to which the same happens. After each pass the same
callbacks must have run for each socket, in the same order; what a callback does to its own
socket's readers and writers is among what is random. In which order sockets are served is
every loop's own affair.

    python3 test_readers.py --programs DIR [unittest's arguments]

The library is taken from DIR/../lib.  TEST_SEED does the same things again, TEST_LEVEL
(quick, thorough, full) says how many.
"""

import asyncio
import contextlib
import os
import random
import selectors
import socket
import time
import unittest

import binding
import support

STEPS = {'quick': 6_000, 'thorough': 200_000, 'full': 2_000_000}
LENGTH = 300  # steps until everything is made anew
PLACES = 5
BUFFER = 4096


class Theirs:
    """asyncio's loop over one of CPython's selectors."""

    def __init__(self, selector):
        self.name = selector.__name__
        self.loop = asyncio.SelectorEventLoop(selector())
        self.close = self.loop.close
        self.add_reader, self.add_writer = self.loop.add_reader, self.loop.add_writer
        self.remove_reader = self.loop.remove_reader
        self.remove_writer = self.loop.remove_writer

    def run_once(self):
        """A loop that was stopped before makes one pass, which does not wait."""
        self.loop.stop()
        self.loop.run_forever()


class Place:
    """A socket, its other end, and what has been called for it."""

    def __init__(self, loop, seed):
        self.loop, self.seed = loop, seed
        self.called = []
        self.added = 0
        self.own = self.peer = None
        self.open()

    def open(self):
        """Another file gets the number."""
        own, self.peer = socket.socketpair()
        for end in (own, self.peer):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        if self.own is None:
            self.own = own
        else:
            os.dup2(own.fileno(), self.own.fileno(), inheritable=False)
            own.close()

    def close(self):
        self.own.close()
        self.peer.close()

    def callback(self, name):
        self.added += 1
        tag = f'{name}{self.added}'

        def call():
            self.called.append(tag)
            chance = random.Random(f'{self.seed} {tag}')
            if chance.random() < 0.7:
                self.act(chance.choice(INSIDE))

        return call

    def act(self, name):
        """Returns what has to be the same everywhere."""
        if name in CALLS:
            return CALLS[name](self)
        with contextlib.suppress(OSError):  # a send to one that has hung up, say
            HAPPENINGS[name](self)
        return None


def read_all(place):
    while place.own.recv(BUFFER):
        pass


def fill(end):
    while True:
        end.send(bytes(BUFFER))


def peer_reads_all(place):
    while place.peer.recv(BUFFER):
        pass


def replace(place):
    """As asyncio wants it: what was added goes before the file does."""
    result = place.act('remove_reader'), place.act('remove_writer')
    place.peer.close()
    place.open()
    return result


CALLS = {
    'add_reader': lambda p: p.loop.add_reader(p.own.fileno(), p.callback('reader')),
    'add_writer': lambda p: p.loop.add_writer(p.own.fileno(), p.callback('writer')),
    'remove_reader': lambda p: p.loop.remove_reader(p.own.fileno()),
    'remove_writer': lambda p: p.loop.remove_writer(p.own.fileno()),
    'remove_both': lambda p: (p.act('remove_reader'), p.act('remove_writer')),
    'add_both': lambda p: (p.act('add_reader'), p.act('add_writer')),
    'remove_and_add_both': lambda p: (p.act('remove_both'), p.act('add_both')),
    'replace': replace,
    'replace_and_add_both': lambda p: (p.act('replace'), p.act('add_both')),
}
HAPPENINGS = {
    'read_all': read_all,
    'fill': lambda p: fill(p.own),
    'peer_writes': lambda p: p.peer.send(b'.'),
    'peer_reads_all': peer_reads_all,
    'peer_shuts_down': lambda p: p.peer.shutdown(socket.SHUT_WR),
    'peer_closes': lambda p: p.peer.close(),
}
INSIDE = [*CALLS, 'read_all', 'fill']
OUTSIDE = [*CALLS, *HAPPENINGS, 'add_reader', 'add_writer', 'peer_writes', *6 * ['pass']]


class World:
    """One loop and its places."""

    def __init__(self, loop, seed):
        self.loop = loop
        self.places = [Place(loop, f'{seed} {i}') for i in range(PLACES)]

    def step(self, name, place):
        """What has to be the same everywhere."""
        if name != 'pass':
            return self.places[place].act(name)
        self.loop.run_once()
        called = [place.called for place in self.places]
        for each in self.places:
            each.called = []
        return called

    def close(self):
        for place in self.places:
            place.act('remove_both')
            place.close()
        self.loop.close()


class Readers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        path = support.programs.parent / 'lib' / 'libselkie.so'
        if not path.exists() or b'__asan_init' in path.read_bytes():
            raise unittest.SkipTest('no shared library here that Python can load')
        cls.library = binding.load(path)
        cls.seed = int(os.environ.get('TEST_SEED') or time.time_ns())
        cls.steps = STEPS[os.environ.get('TEST_LEVEL') or 'quick']
        print(f'size: {cls.steps} steps beside asyncio, TEST_SEED={cls.seed}', flush=True)

    def open_worlds(self, seed):
        loops = [Theirs(selectors.PollSelector)]
        loops += [binding.Loop(self.library, name) for name in binding.available(self.library)]
        return [World(loop, seed) for loop in loops]

    def run_sequence(self, chance, seed, worlds):
        done = []
        for _ in range(LENGTH):
            name, place = chance.choice(OUTSIDE), chance.randrange(PLACES)
            done.append(f'{name} {place}')
            wanted, *results = [world.step(name, place) for world in worlds]
            for world, result in zip(worlds[1:], results):
                self.assertEqual(result, wanted, '\n'.join([
                    f'sequence {seed}', *done, f'{world.loop.name}, beside asyncio']))

    def test_the_same_callbacks_run_as_on_asyncios_loop(self):
        chance = random.Random(self.seed)
        for step in range(0, self.steps, LENGTH):
            seed = f'{self.seed} {step}'
            with contextlib.ExitStack() as opened:
                worlds = self.open_worlds(seed)
                for world in worlds:
                    opened.callback(world.close)
                self.run_sequence(chance, seed, worlds)


if __name__ == '__main__':
    support.main()
