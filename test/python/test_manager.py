# SPDX-License-Identifier: MIT
"""The manager of between_processes from outside: C on every backend and its twin give the
same answers, and no client harms another.

Run as support.py says.  The C one is served by test/python/manager_alone.c, the twin by a line of
Python.
"""
import contextlib
import os
import resource
import socket
import subprocess
import sys
import time
import unittest

import support
from support import PATIENCE, Kind, closing_all, eventually, read_exactly

ALONE = """import sys, manager
server = manager.Manager()
print(server.address[1:].decode(), flush=True)
sys.stdin.read()
server.stop()"""
KINDS = [*(Kind(f"manager_{backend}", "manager_alone", backend)
           for backend in ("uv", "epoll", "poll", "select")),
         Kind("manager_twin", "manager.py")]
DESCRIPTORS = 24  # a limit that is soon reached
QUIET = 0.5  # seconds in which a process that waits uses no time
LONG = b"x" * 200

TRANSCRIPT = [  # requests, and what each is answered
    ("append 1", "ok"), ("append -7", "ok"), ("list", "[1, -7]"),
    # A number is all of a word, and one that fits.
    ("append 99999999999", "no"), ("append 2147483648", "no"), ("append -2147483649", "no"),
    ("append 2147483647", "ok"), ("append -2147483648", "ok"),
    ("append 5 and more", "no"), ("append 5x", "no"), ("append 5 ", "no"),
    ("append  5", "no"), ("append +5", "no"), ("append 0x5", "no"), ("append 5.0", "no"),
    ("append", "no"), ("append ", "no"), ("append -", "no"), ("append 1\0", "no"),
    ("append \u0665", "no"), ("append 1\r", "no"),
    ("list", "[1, -7, 2147483647, -2147483648]"),
    ("set a 1", "ok"), ("set a 2x", "no"), ("set a 2 3", "no"), ("set a 1e3", "no"),
    ("add a 2147483646", "ok"), ("add a 1", "no"), ("add new 4294967297", "no"),
    ("add b -2147483648", "ok"), ("add b -1", "no"),
    ("set abcdefghijklmno 1", "ok"), ("set abcdefghijklmnop 1", "no"),
    ("set \u00e9 1", "no"), ("set  1", "no"), ("set c\t1 1", "no"),
    ("dict", "{a: 2147483647, b: -2147483648, abcdefghijklmno: 1}"),
    ("dict x", "no"), ("list\0", "no"), ("", "no"), (" ", "no"), ("DICT", "no"),
    ("x" * 101, "no"), ("x" * 5000, "no"), ("list" + " " * 96, "no"),
]


class Manager:
    """The process and its helper; a context manager that leaves neither."""

    def __init__(self, kind, descriptors=None):
        self.kind = kind
        environment = kind.environment()
        if kind.backend:
            helper = support.programs.parent / "test" / "manager_alone"
            command = [str(helper)]
        else:
            command = [sys.executable, "-c", ALONE]
            environment["PYTHONPATH"] = str(support.TWINS)

        def limit():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, preexec_fn=limit)
        self.address = b"\0" + self.process.stdout.readline().strip()
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(children) as file:
            self.pid = int(file.read().split()[0])

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()  # the manager ends with the other end of its pair
        self.process.communicate()

    def connect(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(PATIENCE)
        sock.connect(self.address)
        return sock

    def cpu(self):
        with open(f"/proc/{self.pid}/stat") as file:
            user, system = file.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def ask(sock, request):
    sock.sendall(request.encode() + b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        more = sock.recv(1)
        assert more, answer
        answer += more
    return answer[:-1].decode()


def ask_and_never_read(sock):
    """Requests, until the manager takes no more; returns how many."""
    sent, block = 0, b"list\n" * 100
    sock.settimeout(0.3)
    with contextlib.suppress(TimeoutError):
        while sent < 20_000_000:
            sent += sock.send(block[sent % 5:])
    sock.settimeout(PATIENCE)
    return sent // 5


class ManagerTests:
    kind = None

    def start(self, **limits):
        manager = Manager(self.kind, **limits)
        self.enterContext(manager)
        return manager

    def test_a_transcript(self):
        with self.start().connect() as sock:
            for request, answer in TRANSCRIPT:
                with self.subTest(request=request):
                    self.assertEqual(ask(sock, request), answer)

    def test_what_there_is_room_for(self):
        with self.start().connect() as sock:
            for i in range(64):
                self.assertEqual(ask(sock, f"append -20000000{i:02}"), "ok")
                self.assertEqual(ask(sock, f"set a_key_of_15_s{i:02} -2147483648"), "ok")
            for request in ("append 1", "set one 1", "add one 1"):
                self.assertEqual(ask(sock, request), "no")
            self.assertEqual(ask(sock, "set a_key_of_15_s00 7"), "ok")
            pairs = ask(sock, "dict")[1:-1].split(", ")
            self.assertEqual((len(pairs), pairs[0]), (64, "a_key_of_15_s00: 7"))
            self.assertEqual(len(ask(sock, "list").split(", ")), 64)

    def test_bytes_one_by_one_and_all_at_once(self):
        with self.start().connect() as sock:
            for byte in b"append 5\nlist\n":
                sock.sendall(bytes([byte]))
            self.assertEqual(read_exactly(sock, 7), b"ok\n[5]\n")
            sock.sendall(b"add n 1\n" * 5000 + b"dict\n")
            self.assertEqual(read_exactly(sock, 15000 + 10), b"ok\n" * 5000 + b"{n: 5000}\n")

    def test_a_client_that_asks_and_never_reads_keeps_nobody_waiting(self):
        """Its answers once filled a socket, and a send that waited for room stopped all."""
        manager = self.start()
        with manager.connect() as deaf, manager.connect() as sock:
            for i in range(64):
                self.assertEqual(ask(sock, f"append {1000000000 + i}"), "ok")
            asked = ask_and_never_read(deaf)
            self.assertLess(asked, 4_000_000)  # what is queued for it is bounded
            self.assertEqual(ask(sock, "set a 1"), "ok")
            before = manager.cpu()
            time.sleep(QUIET)
            self.assertLess(manager.cpu() - before, QUIET / 2)
            # Once it reads, all is there and whole.
            line = (ask(sock, "list") + "\n").encode()
            for _ in range(asked):
                self.assertEqual(read_exactly(deaf, len(line)), line)

    def test_what_was_asked_before_an_end_is_answered(self):
        with self.start().connect() as sock:
            sock.sendall(b"append 1\n" * 10 + b"list\n" * 3000)
            sock.shutdown(socket.SHUT_WR)
            expected = b"ok\n" * 10 + (str([1] * 10) + "\n").encode() * 3000
            self.assertEqual(support.read_to_end(sock), expected)

    def test_clients_that_leave_anyhow(self):
        manager = self.start()
        with manager.connect() as sock:
            ask(sock, "list")  # it has opened all that it needs
            before = manager.descriptors() - 1
        for request in (b"", b"list", b"list\n", b"list\n" * 10000, LONG * 100):
            with closing_all() as socks:
                for _ in range(8):
                    socks.append(manager.connect())
                    with contextlib.suppress(TimeoutError, BlockingIOError):
                        socks[-1].settimeout(0.05)
                        socks[-1].send(request)
        self.assertTrue(eventually(lambda: manager.descriptors() == before))

    def test_more_clients_than_descriptors(self):
        """They are turned away; one that waited in the listener kept the loop spinning."""
        manager = self.start(descriptors=DESCRIPTORS)
        with closing_all() as socks:
            for _ in range(2 * DESCRIPTORS):
                socks.append(manager.connect())
            self.assertEqual(ask(socks[0], "append 1"), "ok")
            before = manager.cpu()
            time.sleep(QUIET)
            self.assertLess(manager.cpu() - before, QUIET / 2)
            self.assertEqual(socks[-1].recv(1), b"")
        self.assertTrue(eventually(lambda: manager.descriptors() < DESCRIPTORS // 2 + 4))
        with manager.connect() as sock:
            self.assertEqual(ask(sock, "list"), "[1]")


for kind in KINDS:
    name = f"ManagerTests_{kind.name}"
    globals()[name] = type(name, (ManagerTests, unittest.TestCase),
                           {"kind": kind, "__module__": __name__})


if __name__ == "__main__":
    support.main()
