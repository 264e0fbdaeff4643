#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The echo server on a bad day, on every backend: calls that are interrupted, find
nothing or move one byte; and no descriptor left for another client.

Usage: test_bad_days.py --programs BUILD [unittest's arguments]
"""

import os
import random
import select
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

import support  # noqa: E402
from support import Kind, Server, closing_all, eventually, pump, read_exactly  # noqa: E402

BACKENDS = ["uv", "epoll", "poll", "select"]
SEED = int(os.environ.get("TEST_SEED") or random.SystemRandom().randrange(1 << 63))
FLAKY = "test/torture/flaky_echo_server"
DESCRIPTORS = 32
CLIENTS = 40  # more than there are descriptors

measured = []  # told at the end: a line in between would hide what unittest says


def for_each_backend(base, program, namespace):
    """A class for every backend, so that each is counted and named."""
    for backend in BACKENDS:
        name = f"{base.__name__}_{backend}"
        namespace[name] = type(name, (base, unittest.TestCase), {
            "kind": Kind(name, program, backend), "__module__": base.__module__})


def can_echo(sock, patience):
    """Does it answer within so many seconds?"""
    try:
        sock.sendall(b"?")
        if not select.select([sock], [], [], patience)[0]:
            return False
        return read_exactly(sock, 1) == b"?"
    except OSError:
        return False


class Interrupted:
    """30 % of all calls fail with EINTR or EAGAIN; the rest moves a byte at most."""

    def setUp(self):
        os.environ["TEST_SEED"] = str(SEED)

    def test_the_echo_is_the_same(self):
        data = random.Random(SEED).randbytes(20_000)
        with Server(self.kind) as server:
            for size in (1, 1000, len(data)):
                with server.connect() as sock:
                    self.assertEqual(pump(sock, data[:size]), data[:size])
            self.assertEqual(server.stop(), 0)

    def test_clients_side_by_side(self):
        with Server(self.kind) as server, closing_all() as socks:
            for number in range(20):
                socks.append(server.connect())
                socks[-1].sendall(bytes([number]) * 300)
            for number, sock in enumerate(socks):
                self.assertEqual(read_exactly(sock, 300), bytes([number]) * 300)
            self.assertEqual(server.stop(), 0)


class Full:
    """A listener at its limit of descriptors turns clients away and does not spin."""

    def test_full_idle_and_served_again(self):
        with Server(self.kind, descriptors=DESCRIPTORS) as server, closing_all() as socks:
            served = []
            for _ in range(CLIENTS):
                sock = server.connect()
                socks.append(sock)
                if can_echo(sock, support.PATIENCE):
                    served.append(sock)
            self.assertGreater(len(served), DESCRIPTORS // 3)
            self.assertLess(len(served), DESCRIPTORS)
            before, start = server.cpu(), time.monotonic()
            while time.monotonic() - start < 1:
                with server.connect() as late:
                    late.settimeout(support.PATIENCE)
                    self.assertEqual(self.end_of(late), b"")
                select.select([], [], [], 0.05)
            share = (server.cpu() - before) / (time.monotonic() - start)
            if "TEST_INSTRUMENTED" not in os.environ:
                self.assertLess(share, 0.25)
            self.assertTrue(can_echo(served[0], support.PATIENCE))
            held = server.descriptors()
            served[0].close()
            start = time.monotonic()
            self.assertTrue(eventually(lambda: server.descriptors() < held))
            with server.connect() as again:
                self.assertTrue(can_echo(again, support.PATIENCE))
            measured.append(f"{self.kind.name}: {100 * share:.1f} % CPU while full, served "
                            f"again after {time.monotonic() - start:.3f} s")
            self.assertEqual(server.stop(), 0)

    @staticmethod
    def end_of(sock):
        """What a client that is turned away reads: nothing, or a reset."""
        try:
            return sock.recv(1)
        except ConnectionResetError:
            return b""


def tearDownModule():
    print(*measured, sep="\n", flush=True)


for_each_backend(Interrupted, FLAKY, globals())
for_each_backend(Full, "demo/echo_server", globals())

if __name__ == "__main__":
    print(f"TEST_SEED={SEED}", flush=True)
    support.main()
