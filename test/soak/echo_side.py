# SPDX-License-Identifier: MIT
"""The echo server's clients: each sends bytes of its own and compares every one that
comes back; they differ in how they go about it and how they end.
"""
import contextlib
import random
import socket
import zlib

from engine import READ, WRITE, Side
from support import reset

POOL = random.Random(11).randbytes(1 << 20)
STREAM = memoryview(POOL + POOL[:1 << 16])  # so that a piece goes over the end
PIECES = [1, 7, 100, 1460, 4096, 16384, 65536]
LARGEST = 22  # the largest stream has 4 MiB
AT_ONCE = 50
MANNERS = ["close", "half-close", "half-close", "stall", "stall", "trickle", "reset",
           "reset", "leave", "pass by"]


class EchoClient:
    """It has sent `sent` bytes of its stream, of which `received` have come back."""

    def __init__(self, side):
        self.side, self.rng = side, side.rng
        self.manner = self.rng.choice(MANNERS)
        self.size = int(2 ** self.rng.uniform(0, LARGEST))
        self.start = self.rng.randrange(len(POOL))
        self.sent = self.received = 0
        self.sums = [0, 0]  # of what went and of what came
        self.half_closed = self.stalled = False
        self.stalls = self.rng.randrange(1, 4) if self.manner == "stall" else 0
        self.goes_at = self.rng.choice([self.size, self.rng.randrange(self.size)])
        if self.manner == "trickle":
            self.size = min(self.size, 300)
        self.news = side.engine.now
        self.sock = side.server.connect(self.rng.choice([None, None, 16384]))
        self.sock.setblocking(False)

    def piece(self, position, size):
        start = (self.start + position) % len(POOL)
        return STREAM[start:start + size]

    def begin(self):
        if self.manner == "pass by":
            self.go(self.rng.random() < 0.5)
        else:
            self.watch()

    def watch(self):
        sending = WRITE if self.sent < self.size else 0
        self.side.engine.watch(self, 0 if self.stalled else READ | sending)

    def go(self, with_reset):
        """Leave, whatever is under way."""
        self.side.engine.watch(self, 0)
        if with_reset:
            self.side.count("resets")
            reset(self.sock)
        self.end()

    def end(self):
        self.side.engine.close(self)
        self.side.ended(self)

    def abandon(self, why):
        self.side.complain(f"{self.manner}: {why}: {self.received} of {self.sent} bytes "
                           f"have come back of {self.size}")
        self.end()

    def ready(self, mask):
        self.news = self.side.engine.now
        try:
            if mask & READ:
                self.receive()
            elif mask & WRITE:
                self.send()
        except OSError as error:
            self.abandon(str(error))

    def send(self):
        most = 1 if self.manner == "trickle" else self.rng.choice(PIECES)
        data = self.piece(self.sent, min(most, self.size - self.sent))
        with contextlib.suppress(BlockingIOError):
            size = self.sock.send(data)
            self.sent += size
            self.sums[0] = zlib.crc32(data[:size], self.sums[0])
        if self.manner in ("reset", "leave") and self.sent >= self.goes_at:
            self.go(self.manner == "reset")
            return
        if self.sent == self.size and self.manner != "close":
            self.half_close()
        if self.stalls and self.rng.random() < 0.1:
            self.stall()
        self.watch()

    def half_close(self):
        if not self.half_closed:
            self.half_closed = True
            self.side.count("half-closes")
            self.sock.shutdown(socket.SHUT_WR)

    def stall(self):
        self.stalls -= 1
        self.stalled = True
        self.side.engine.call_later(self.rng.uniform(0.01, 1), self.go_on)

    def go_on(self):
        self.stalled = False
        self.news = self.side.engine.now
        if self.sock.fileno() >= 0:
            self.watch()

    def receive(self):
        data = self.sock.recv(65536)
        if not data:
            self.judge_end()
            return
        if data != self.piece(self.received, len(data)):
            self.abandon("a wrong byte came back")
            return
        self.sums[1] = zlib.crc32(data, self.sums[1])
        self.received += len(data)
        self.side.count("bytes", len(data))
        if self.received > self.sent:
            self.abandon("more came back than was sent")
        elif self.received == self.size:
            self.half_close()
            self.watch()

    def judge_end(self):
        if self.received != self.size or self.sums[0] != self.sums[1]:
            self.abandon("the server has ended it")
        else:
            self.end()


class EchoSide(Side):
    def begin(self):
        self.finishing = False
        while len(self.clients) < AT_ONCE:
            self.add()

    def add(self):
        client = EchoClient(self)
        self.clients.add(client)
        self.count("connections")
        client.begin()

    def ended(self, client):
        self.clients.discard(client)
        self.engine.call_later(self.rng.uniform(0, 0.02), self.replace)

    def replace(self):
        if not self.finishing and len(self.clients) < AT_ONCE:
            self.add()

    @property
    def is_idle(self):
        return not self.clients
