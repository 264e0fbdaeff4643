#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random programs for an asyncio loop, which note in what order their callbacks ran.

    asyncio_programs.py LIBRARY [PROGRAMS [SEED]]

The same program runs on CPython's loop and on selkie's: the notes have to be equal.  What
a program does next is drawn when it is done, so that two runs are the same as long as the
loops are.  It does nothing whose order asyncio leaves open: no two timers are due at one
time, what other threads do has ended before the callback goes on, one descriptor is ready
at a time (or many that only note it, whose notes are sorted), and what comes from outside
(time, another thread's byte, a signal) is awaited only when nothing else is coming: in
which pass it comes hangs upon how fast the machine is just then.
"""

import asyncio
import contextvars
import faulthandler
import random
import select
import sys
import threading
import time

import asyncio_library
import asyncio_loop
from asyncio_events import GAP, Waiting, Watching, make_pair

BACKENDS = ['uv', 'epoll', 'poll', 'select']
LENGTH = 60  # callbacks and waits of a program
PATIENCE = 60  # seconds, for one program on one loop; a machine may be stalled for some
HOUR = 3600  # seconds; no stall is as long

level = contextvars.ContextVar('level', default=0)


class Program(Watching, Waiting):
    """One program on one loop; `notes` are what it did."""

    acts = {'soon': 8, 'threadsafe': 3, 'thread': 2, 'at_once': 4, 'before_others': 3,
            'in_the_past': 2, 'due_together': 1, 'cancel': 4, 'stop': 2, 'fail': 1,
            'interrupt': 1, 'coroutine': 6, 'cancel_task': 2, 'watch': 6,
            'meddle': 3}  # how often each is done
    waits = ['wait', 'be_sent', 'work', 'signal', 'crowd', 'more', 'more']

    def __init__(self, loop, seed, patience=PATIENCE):
        self.loop = loop
        self.patience = patience
        self.chance = random.Random(seed)
        self.notes = []
        self.left = LENGTH
        self.named = 0
        self.coming = 0  # what is to run yet; at 0 there is nothing that another could meet
        self.handles = {}  # what may be cancelled, by name
        self.tasks = {}
        self.is_waiting = self.is_done = False
        self.early = 0.0  # the last negative delay
        self.pair, self.hot = make_pair(), None
        loop.set_exception_handler(self.note_exception)

    def note(self, what):
        self.notes.append(f'{what} at level {level.get()}')

    def note_exception(self, loop, context):
        self.note(f'handler of {context.get("exception")!r}')

    # --- running ---

    def run(self):
        """The notes, after as many runs of the loop as it took."""
        self.schedule(self.loop.call_soon)
        self.loop.call_later(self.patience, self.give_up)
        faulthandler.dump_traceback_later(2 * PATIENCE, exit=True)
        while not self.is_done:
            try:
                self.run_loop()
            except (KeyboardInterrupt, RuntimeError) as error:
                self.note(f'ended by {error!r}')
        faulthandler.cancel_dump_traceback_later()
        self.stop_watching()
        for end in self.pair:
            end.close()
        self.loop.close()
        return self.notes

    def give_up(self):
        self.note('out of time')
        self.is_done = True
        self.loop.stop()

    def run_loop(self):
        if self.is_waiting or self.chance.random() < 0.7:
            self.run_on()
        else:
            self.count_for(self.chance.randrange(4))

    def run_on(self):
        self.loop.run_forever()
        self.note('stopped')

    def count_for(self, passes):
        """A run that ends by itself, unless something else ends it.

        Such a run leaves its task to those after it, or the stop that the task's end has
        queued.  A wait must not meet that stop, which ends a run after one pass, whether
        or not what is waited for is in that pass.  So the count is coming until its own
        callback runs, right before the stop.
        """
        self.coming += 1
        task = self.loop.create_task(self.count(passes))
        task.add_done_callback(self.end_count)
        self.note(self.loop.run_until_complete(task))

    def end_count(self, task):
        self.coming -= 1
        self.settle()

    async def count(self, passes):
        for _ in range(passes):
            await asyncio.sleep(0)
        return f'counted {passes}'

    def name(self, kind):
        self.named += 1
        return f'{kind} {self.named}'

    def schedule(self, call, *arguments):
        """Have a callback called; what may be cancelled is."""
        name = self.name(getattr(call, '__name__', 'callback'))
        self.coming += 1
        self.handles[name] = call(*arguments, self.callback, name)

    def callback(self, name):
        """What all the callbacks are: note it, do something, see whether that was all."""
        self.handles.pop(name, None)
        self.coming -= 1
        self.note(name)
        if self.chance.random() < 0.2:
            level.set(self.chance.randrange(10))
        try:
            self.act()
        finally:
            self.settle()

    def act(self):
        """Up to three things, as long as there are any left."""
        self.is_waiting = False
        for _ in range(self.chance.choice([0, 1, 1, 2, 2, 3])):
            if self.left > 0:
                self.left -= 1
                name, = self.chance.choices(list(self.acts), self.acts.values())
                getattr(self, name)()

    def settle(self):
        """Nothing else is coming: go on with what needs that, or end."""
        if self.coming > 0 or self.is_done:
            return
        if self.left <= 0:
            self.is_done = True
            self.loop.stop()
            return
        self.left -= 1
        self.is_waiting = True
        getattr(self, self.chance.choice(self.waits))()

    # --- what a callback does ---

    def soon(self):
        self.schedule(self.loop.call_soon)

    def threadsafe(self):
        self.schedule(self.loop.call_soon_threadsafe)

    def thread(self):
        """Tasks of another thread's, which ends before ours."""
        count = self.chance.randrange(1, 4)

        def work():
            for _ in range(count):
                self.schedule(self.loop.call_soon_threadsafe)

        context = contextvars.copy_context()
        other = threading.Thread(target=context.run, args=(work,))
        other.start()
        other.join()

    def at_once(self):
        self.schedule(self.loop.call_later, 0)

    def before_others(self):
        """No two are within an hour of each other, whenever the calls are made."""
        self.early -= HOUR if self.chance.random() < 0.5 else 100 * HOUR
        delay = self.early if self.chance.random() < 0.5 else -1e9 - self.early
        self.schedule(self.loop.call_later, delay)

    def in_the_past(self):
        self.early -= HOUR
        self.schedule(self.loop.call_at, self.loop.time() + self.early)

    def due_together(self):
        """Timers that are due when this callback has ended, made in any order."""
        start, count = self.loop.time(), self.chance.randrange(1, 4)
        for place in self.chance.sample(range(count), count):
            self.schedule(self.loop.call_at, start + place * GAP)
        while self.loop.time() <= start + count * GAP:
            time.sleep(GAP / 4)

    def cancel(self):
        if self.handles:
            name = self.chance.choice(list(self.handles))
            self.handles.pop(name).cancel()
            self.coming -= 1
            self.note(f'cancelled {name}')

    def stop(self):
        self.note('stop')
        self.loop.stop()

    def fail(self):
        raise ValueError(self.name('failure'))

    def interrupt(self):
        raise KeyboardInterrupt(self.name('interruption'))

    # --- coroutines ---

    def coroutine(self):
        name = self.name('coroutine')
        self.coming += 1
        task = self.tasks[name] = self.loop.create_task(self.go(name))
        task.add_done_callback(lambda task: self.end(name, task))

    def end(self, name, task):
        del self.tasks[name]
        self.coming -= 1
        self.note(f'end of {name}, {"cancelled" if task.cancelled() else task.result()}')
        self.settle()

    async def go(self, name):
        for step in range(self.chance.randrange(1, 4)):
            self.note(f'{name}, step {step}')
            try:
                await self.chance.choice([self.pause, self.meet, self.gather, self.bound])()
            except asyncio.CancelledError:
                self.note(f'{name}, cancelled')
                if self.chance.random() < 0.5:
                    raise
        return step

    async def pause(self):
        await asyncio.sleep(self.chance.choice([0, 0, -1]))

    async def meet(self):
        """A future that a task sets; a task that waits for it may be cancelled."""
        future = self.loop.create_future()
        self.loop.call_soon(lambda: future.done() or future.set_result(None))
        await future

    async def gather(self):
        await asyncio.gather(self.count(1), self.meet(), self.count(2))

    async def bound(self):
        await asyncio.wait_for(self.meet(), 1000)

    def cancel_task(self):
        if self.tasks:
            name = self.chance.choice(list(self.tasks))
            self.note(f'cancelling {name}: {self.tasks[name].cancel()}')


class Leaving(Program):
    """The first run is over before the stop that its task's end has queued; the second is
    interrupted before that; what the last callback then waits for must not meet it."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.script = iter([['soon', 'stop'], ['interrupt']])
        self.left = 1

    def run_loop(self):
        if self.notes:
            self.run_on()
        else:
            self.count_for(0)

    def act(self):
        for name in next(self.script, []):
            getattr(self, name)()


class Early(Leaving):
    """The byte is there before the loop looks."""

    waits = ['be_sent']

    def be_sent(self):
        super().be_sent()
        select.select([self.pair[0]], [], [])


class Late(Leaving):
    """It comes when the run with the stop is over."""

    waits = ['be_sent']

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.is_over = threading.Event()

    def run_on(self):
        super().run_on()
        self.is_over.set()

    def send(self):
        self.is_over.wait(PATIENCE)
        super().send()


class Signalled(Leaving):
    waits = ['signal']


def difference(index, seed, backend, theirs, ours):
    """None, or where the notes part and what was before."""
    if theirs == ours:
        return None
    place = next(i for i, pair in enumerate(zip([*theirs, None], [*ours, None]))
                 if pair[0] != pair[1])
    show = [f'program {index} of TEST_SEED={seed} on {backend}, note {place}:',
            *theirs[max(0, place - 15):place]]
    show += [f'  asyncio: {line}' for line in theirs[place:place + 5]]
    show += [f'  selkie:  {line}' for line in ours[place:place + 5]]
    return '\n'.join(show)


def run(library, programs, seed, base=asyncio_loop.SelkieEventLoop, patience=PATIENCE,
        kinds=(Program, Program)):
    """Yield a difference, or None, for each program; the backends take turns.

    `kinds` are how it runs on asyncio's loop and on selkie's.
    """
    for index in range(programs):
        backend = BACKENDS[index % len(BACKENDS)]
        loop_class = asyncio_loop.make_class(library, backend, base)
        theirs = kinds[0](asyncio.SelectorEventLoop(), f'{seed} {index}').run()
        ours = kinds[1](loop_class(), f'{seed} {index}', patience).run()
        yield difference(index, seed, backend, theirs, ours)


def main(path, programs=500, seed=None):
    seed = seed or time.time_ns()
    start = time.monotonic()
    print(f'{programs} programs, TEST_SEED={seed}')
    for found in run(asyncio_library.Library(path), int(programs), seed):
        if found:
            sys.exit(found)
    print(f'the same on both loops, in {time.monotonic() - start:.0f} s')


if __name__ == '__main__':
    main(*sys.argv[1:])
