# SPDX-License-Identifier: MIT
"""What happens in the random programs of asyncio_programs.py besides tasks and timers."""

import signal
import socket
import threading

GAP = 0.002  # seconds between two due times


def make_pair():
    pair = socket.socketpair()
    for end in pair:
        end.setblocking(False)
    return pair


class Watching:
    """Descriptors; one pair is watched at a time, `hot` while it is."""

    def watch(self):
        """Bytes to be read, one a pass, room to write, or both; or the other end closes."""
        if self.hot is not None:
            return
        self.new_pair()
        self.hot = self.pair[0]
        self.coming += 1
        self.reads = self.chance.randrange(4)
        self.writes = self.chance.randrange(4) if self.reads else 1
        self.pair[1].send(b'x' * self.reads)
        self.ends = self.chance.random() < 0.2
        if self.ends:
            self.pair[1].close()
        for add, left in self.chance.sample([(self.add_reader, self.reads),
                                             (self.add_writer, self.writes)], 2):
            if left > 0:
                add()

    def new_pair(self):
        """Now and then; the numbers are the same."""
        if self.chance.random() < 0.5 or self.pair[1].fileno() < 0:
            self.stop_watching()
            for end in self.pair:
                end.close()
            self.pair = make_pair()

    def stop_watching(self):
        for remove in self.loop.remove_reader, self.loop.remove_writer:
            remove(self.pair[0].fileno())

    def add_reader(self):
        self.loop.add_reader(self.pair[0].fileno(), self.on_readable, self.name('reader'))

    def add_writer(self):
        self.loop.add_writer(self.pair[0], self.on_writable, self.name('writer'))

    def on_readable(self, name):
        self.note(f'{name} reads {self.hot.recv(1)}')
        self.reads -= 1
        self.after_ready(self.loop.remove_reader)

    def on_writable(self, name):
        self.note(f'{name} may write')
        self.writes -= 1
        self.after_ready(self.loop.remove_writer)

    def after_ready(self, remove):
        if self.reads <= 0:
            self.loop.remove_reader(self.hot)
        if self.writes <= 0:
            self.loop.remove_writer(self.hot)
        if self.reads <= 0 and self.writes <= 0:
            self.cool()
        elif self.chance.random() < 0.1:
            self.note(f'removed: {remove(self.hot)}')
            self.meddle()
        try:
            self.act()
        finally:
            self.settle()

    def cool(self):
        self.stop_watching()
        self.drain()
        self.hot = None
        self.coming -= 1

    def drain(self):
        try:
            while self.pair[0].recv(100):
                continue
        except BlockingIOError:
            pass

    def meddle(self):
        """Take away or replace what is ready, perhaps in the pass that would call it."""
        if self.hot is None:
            return
        what = self.chance.choice(['end', 'replace', 'again', 'twice'])
        self.note(f'meddling: {what}')
        if what == 'end':
            self.cool()
            return
        if what == 'again':
            self.stop_watching()
        for _ in range(2 if what == 'twice' else 1):
            self.add_reader() if self.reads > 0 else self.add_writer()
        if self.reads > 0 and self.writes > 0 and self.chance.random() < 0.5:
            self.add_writer()
        elif self.reads > 0:
            self.loop.remove_writer(self.hot)
            self.writes = 0


class Waiting:
    """What is done when nothing else is coming, for it passes time."""

    def wait(self):
        """Time passes; but for the last of them timers do no more than cancel others."""
        start, count = self.loop.time(), self.chance.randrange(1, 4)
        waiting = {}
        for place in self.chance.sample(range(count), count):
            waiting[place] = self.loop.call_at(
                start + (place + 1) * GAP, self.on_time, place, waiting)
        if self.chance.random() < 0.3:
            self.drop_one(waiting)
        self.schedule(self.loop.call_at, start + (count + 1) * GAP)
        self.handles.clear()

    def on_time(self, place, waiting):
        self.note(f'timer {place}')
        del waiting[place]
        if waiting and self.chance.random() < 0.3:
            self.drop_one(waiting)

    def drop_one(self, waiting):
        place = self.chance.choice(list(waiting))
        waiting.pop(place).cancel()
        self.note(f'cancelled timer {place}')

    def be_sent(self):
        """A byte from another thread, for which the loop has to wait."""
        self.new_pair()
        name = self.name('reader')
        self.coming += 1
        other = threading.Thread(target=self.send)
        self.loop.add_reader(self.pair[0], self.on_sent, name, other)
        other.start()

    def send(self):
        self.pair[1].send(b'x')

    def on_sent(self, name, other):
        other.join()
        self.loop.remove_reader(self.pair[0])
        self.drain()
        self.go_on(name)

    def work(self):
        """A job on a thread, which has to be waited for."""
        name = self.name('job')
        self.coming += 1
        future = self.loop.run_in_executor(None, self.chance.choice([self.fail, str]))
        future.add_done_callback(lambda done: self.go_on(
            f'{name} gave {done.exception()!r}'))

    def signal(self):
        name = self.name('signal')
        self.coming += 1
        self.loop.add_signal_handler(signal.SIGUSR1, self.on_signal, name)
        signal.raise_signal(signal.SIGUSR1)

    def on_signal(self, name):
        self.note(self.loop.remove_signal_handler(signal.SIGUSR1))
        self.go_on(name)

    def crowd(self):
        """Many are ready, and nobody says in what order they are called."""
        pairs = [socket.socketpair() for _ in range(self.chance.randrange(2, 6))]
        names = [f'{place} of {self.name("crowd")}' for place in range(len(pairs))]
        called = []
        self.coming += 1
        for pair, name in zip(pairs, names):
            pair[1].send(b'x')
            self.loop.add_reader(pair[0], self.on_crowd, name, pair, called, len(pairs))

    def on_crowd(self, name, pair, called, count):
        self.loop.remove_reader(pair[0])
        for end in pair:
            end.close()
        called.append(name)
        if len(called) == count:
            self.go_on(sorted(called))

    def more(self):
        """Tasks alone."""
        self.soon()

    def go_on(self, name):
        self.coming -= 1
        self.note(name)
        try:
            self.act()
        finally:
            self.settle()
