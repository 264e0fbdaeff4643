# SPDX-License-Identifier: MIT
"""What the tests of hostile clients share: how much each does, a class for every backend,
what a server has queued, the load client, and a crowd of clients that check every byte.

TEST_LEVEL says how much: quick (the default; seconds in all), thorough (minutes) or full.
What each test ran at, and the timings, which are no pass mark, are printed at the end as
lines that begin with "size: ".
"""
import contextlib
import fcntl
import json
import os
import random
import resource
import selectors
import socket
import struct
import subprocess
import termios
import time
import unittest

import support
from support import BACKENDS, FD_SETSIZE, INSTRUMENTED, Kind, Server

LEVELS = ["quick", "thorough", "full"]
LEVEL = LEVELS.index(os.environ.get("TEST_LEVEL", "quick"))
DESCRIPTORS = 20000
MEMORY = 1 << 20  # what an allocator may keep more than it did after the first clients
PIECE = 16 * 1024
BYTES = random.Random(9).randbytes(4 << 20)
STREAM = memoryview(BYTES + BYTES[:1 << 20])  # so that a piece goes over the end

reports = []


def at_level(*sizes):
    """The size for quick, thorough or full."""
    return sizes[LEVEL]


def report(test, text):
    """Say what a test did; it is printed at the end."""
    reports.append(f"size: {test.kind.name}: {text}")


def setUpModule():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def tearDownModule():
    print(f"size: {LEVELS[LEVEL]}", *reports, sep="\n", flush=True)


def kinds_of(program):
    return [Kind(f"{program} on {backend}", program, backend,
                 FD_SETSIZE if backend == "select" else None) for backend in BACKENDS]


def for_each_backend(base, namespace):
    """A test class for every backend of the base's program."""
    for kind in kinds_of(base.program):
        name = f"{base.__name__}_{kind.backend}"
        namespace[name] = type(name, (base, unittest.TestCase), {
            "kind": kind, "__module__": base.__module__})


class HostileTests:
    """A server for each test, and what holds after all that was done to it."""

    kind = None

    def start(self, *arguments, **limits):
        server = Server(self.kind, *arguments, **limits)
        self.addCleanup(server.close)
        return server

    def clients(self):
        """A list whose sockets are closed at the end."""
        return self.enterContext(support.closing_all())

    def room_for(self, count):
        """As many clients as are wanted, or as select holds and this process may have."""
        if self.kind.room:
            count = min(count, FD_SETSIZE - 24)
        return min(count, support.allowed_descriptors() * 9 // 10)

    def assert_as_before(self, server, descriptors):
        """Nothing of those who have gone is left, but for what a selector keeps."""
        self.assertTrue(
            support.eventually(lambda: server.descriptors() <= descriptors),
            f"{server.descriptors()} descriptors, {descriptors} before")

    def assert_little_more(self, server, memory):
        if not INSTRUMENTED:
            self.assertLess(server.memory() - memory, MEMORY)

    def assert_ends_well(self, server):
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.errors(), "")


def kernel_queues(server):
    """{a client's port: what the server's socket for it has to send}, from the kernel."""
    own = f":{server.address[1]:04X}"
    with open(f"/proc/{server.process.pid}/net/tcp") as file:
        rows = [line.split() for line in file][1:]
    return {int(row[2].partition(":")[2], 16): int(row[4].partition(":")[0], 16)
            for row in rows if row[1].endswith(own)}


def unread(sock):
    """What the kernel holds for a client that does not read."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, bytes(4)))[0]


def unsent(sock):
    """What the kernel has of a client's bytes and the server's kernel has not."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]


def at_rest(measure):
    """What `measure` gives twice in a row, a little apart; it must be true."""
    last = [None]

    def is_still():
        before, last[0] = last[0], measure()
        time.sleep(0.05)
        return last[0] == before and last[0]
    if not support.eventually(is_still):
        raise TimeoutError("it does not come to rest")
    return last[0]


def start_load(server, connections, messages, size=64):
    """The load client, which checks every byte, against a server."""
    command = [str(support.programs / "load"), "--port", str(server.address[1]),
               "--connections", str(connections), "--messages", str(messages),
               "--size", str(size), "--timeout", "60", "--json", "-"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def end_load(process):
    """Its result as a dictionary; "status" is the exit code."""
    try:
        out, errors = process.communicate(timeout=200)
    finally:
        process.kill()
        process.wait()
    if not out:
        raise RuntimeError(f"load: {errors}")
    return {**json.loads(out), "status": process.returncode}


class Talker:
    """A client that sends `size` bytes and its end, and checks what comes back."""

    def __init__(self, sock, number, size):
        self.sock = sock
        self.start = number * 7919 % len(BYTES)
        self.size = size
        self.sent = self.received = 0
        self.ended = self.was_reset = False
        sock.setblocking(False)

    def piece(self, position, size):
        start = (self.start + position) % len(BYTES)
        return STREAM[start:start + size]

    @property
    def events(self):
        sending = selectors.EVENT_WRITE if self.sent < self.size else 0
        return selectors.EVENT_READ | sending

    def write(self):
        data = self.piece(self.sent, min(PIECE, self.size - self.sent))
        with contextlib.suppress(BlockingIOError):
            self.sent += self.sock.send(data)
        if self.sent == self.size:
            self.sock.shutdown(socket.SHUT_WR)

    def read(self):
        data = self.sock.recv(4 * PIECE)
        if data != self.piece(self.received, len(data)):
            raise AssertionError(f"a wrong byte after {self.received}")
        self.received += len(data)
        self.ended = not data


def serve(talker, mask):
    """What comes is read before more is sent: a reset does not hide it."""
    try:
        if mask & selectors.EVENT_READ:
            talker.read()
        elif mask & selectors.EVENT_WRITE:
            talker.write()
    except (ConnectionResetError, BrokenPipeError):
        talker.was_reset = True
        with contextlib.suppress(ConnectionResetError):
            while not talker.ended:
                talker.read()
        talker.ended = True


def talk(talkers, after_pass=lambda: None):
    """Let all talk at once until each has seen the server's end."""
    with selectors.DefaultSelector() as sel:
        for talker in talkers:
            sel.register(talker.sock, talker.events, talker)
        while sel.get_map():
            ready = sel.select(support.PATIENCE)
            if not ready:
                raise TimeoutError("the server does not go on")
            for key, mask in ready:
                serve(key.data, mask)
                if key.data.ended:
                    sel.unregister(key.fileobj)
                    key.fileobj.close()
                elif key.events != key.data.events:
                    sel.modify(key.fileobj, key.data.events, key.data)
            after_pass()
