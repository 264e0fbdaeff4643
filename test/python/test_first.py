# SPDX-License-Identifier: MIT
"""demo/first and docs/twins/first: one echo server, five times, in C and in Python.

Each C file compiles by itself with one command and without a warning; each server gives
the same transcript to the same two clients.  Run as support.py says.
"""
import os
import select
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import support
from support import Kind, Server, ask, read_exactly, read_to_end, reset

SOURCES = support.TWINS.parent.parent / "demo" / "first"
FIRST = ["blocking", "select", "poll", "epoll", "selectors"]
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-std=c11", "-Werror"]
SHORTEST, LONGEST = 40, 70  # lines of a file


class First(Kind):
    """Its one argument is a port, and it says in one line where it listens."""

    has_hint = False

    def command(self, *_):
        return super().command("0")


def kinds():
    """Every server; the last one in C on each backend."""
    for name in FIRST:
        for backend in support.BACKENDS if name == "selectors" else [None]:
            yield First(f"{name}_{backend}" if backend else name, f"first/{name}", backend)
        if not support.INSTRUMENTED:
            yield First(f"{name}_twin", f"first/{name}_server.py")


class Compiled(unittest.TestCase):
    """By one command, as a reader does it."""

    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory())

    def compile(self, name):
        """The program, made by `cc FILE`; the last with what pkg-config says."""
        words, environment = [], {}
        build = support.programs.parent
        if name == "selectors":
            words = subprocess.run(
                ["pkg-config", "--cflags", "--libs", "selkie"], check=True, text=True,
                stdout=subprocess.PIPE, timeout=support.PATIENCE,
                env={**os.environ, "PKG_CONFIG_PATH": str(build / "meson-uninstalled")},
            ).stdout.split()
            environment = {"LD_LIBRARY_PATH": str(build / "lib")}
        program = Path(self.directory, name)
        ended = subprocess.run(
            ["cc", str(SOURCES / f"{name}.c"), "-o", str(program), *STRICT, *words],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        self.assertEqual((ended.returncode, ended.stdout), (0, ""))
        return program, environment

    @unittest.skipIf(support.INSTRUMENTED, "the library is the instrument's")
    def test_each_by_itself(self):
        for name in FIRST:
            with self.subTest(name):
                program, environment = self.compile(name)
                with mock.patch.dict(os.environ, environment), \
                        Server(First(name, str(program))) as server, \
                        server.connect() as sock:
                    self.assertEqual(ask(sock, b"hello"), b"hello")


class Files(unittest.TestCase):
    def test_each_fits_a_page(self):
        for name in FIRST:
            count = len((SOURCES / f"{name}.c").read_text().splitlines())
            with self.subTest(name, count=count):
                self.assertGreaterEqual(count, SHORTEST)
                self.assertLessEqual(count, LONGEST)

    def test_none_needs_another_file(self):
        for name in FIRST:
            text = (SOURCES / f"{name}.c").read_text()
            with self.subTest(name):
                self.assertNotRegex(text, r'#include "')
                self.assertEqual("selkie" in text, name == "selectors")

    def test_no_twin_hides_a_module(self):
        twins = {path.stem for path in (support.TWINS / "first").glob("*.py")}
        self.assertEqual(twins, {f"{name}_server" for name in FIRST})

    def test_select_itself(self):
        text = (SOURCES / "select.c").read_text()
        for call in "select", "FD_ZERO", "FD_SET", "FD_CLR", "FD_ISSET":
            self.assertRegex(text, rf"\b{call}\(")


def two_clients(server):
    """What A and B hear.  B's answer is read only when A is gone, since the server that
    blocks has not looked at B before.
    """
    heard = []
    with server.connect() as a, server.connect() as b:
        b.sendall(b"in ")
        for part in b"good ", b"morning":
            a.sendall(part)
            heard.append(("A", read_exactly(a, len(part))))
        a.sendall(b"one, ")
        a.sendall(b"two")
        heard.append(("A", read_exactly(a, 8)))
        a.close()
        heard.append(("B", read_exactly(b, 3)))
        b.sendall(b"two ")
        b.sendall(b"parts")
        b.shutdown(socket.SHUT_WR)
        heard.append(("B", read_to_end(b)))
    return heard


class Transcripts(unittest.TestCase):
    def test_two_clients(self):
        """Partial sends, a hang-up, a half-close."""
        for kind in kinds():
            with self.subTest(kind.name), Server(kind) as server:
                self.assertEqual(two_clients(server), [
                    ("A", b"good "), ("A", b"morning"), ("A", b"one, two"),
                    ("B", b"in "), ("B", b"two parts")])

    def test_a_reset_harms_nobody_else(self):
        for kind in kinds():
            with self.subTest(kind.name), Server(kind) as server:
                a, b = server.connect(), server.connect()
                with b:
                    a.sendall(b"lost")
                    reset(a)
                    self.assertEqual(ask(b, b"found"), b"found")

    def test_who_is_silent_holds_up_nobody_but_where_all_blocks(self):
        for kind in kinds():
            with self.subTest(kind.name), Server(kind) as server, \
                    server.connect() as a, server.connect() as b:
                if kind.name.startswith("blocking"):
                    b.sendall(b"hello")
                    self.assertEqual(ask(a, b"first"), b"first")
                    self.assertEqual(select.select([b], [], [], 0)[0], [])
                    a.close()
                    self.assertEqual(read_exactly(b, 5), b"hello")
                else:
                    self.assertEqual(ask(b, b"hello"), b"hello")
                    self.assertEqual(ask(a, b"first"), b"first")

    def test_no_descriptor_is_left(self):
        for kind in kinds():
            with self.subTest(kind.name), Server(kind) as server:
                counts = []
                for _ in range(3):
                    with server.connect() as sock:
                        ask(sock, b"hello")
                        sock.shutdown(socket.SHUT_WR)
                        read_to_end(sock)  # its end: the server has closed
                    counts.append(server.descriptors())
                self.assertEqual(len(set(counts)), 1, counts)

    @unittest.skipIf(support.allowed_descriptors() < 1100, "too few descriptors")
    def test_more_than_select_has_bits_for(self):
        """The client beyond is hung up on, and the others are served as before."""
        with Server(First("select", "first/select")) as server, \
                support.closing_all() as socks:
            while len(socks) < support.FD_SETSIZE + 10:
                socks.append(server.connect())
            self.assertEqual(read_to_end(socks[-1]), b"")
            self.assertEqual(ask(socks[0], b"hello"), b"hello")
            self.assertEqual(ask(socks[1000], b"hello"), b"hello")


if __name__ == "__main__":
    support.main()
