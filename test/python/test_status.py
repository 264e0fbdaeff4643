# SPDX-License-Identifier: MIT
"""echo_server --status on a pseudo-terminal: what it shows, and that it leaves it well.

Run as support.py says.
"""
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
import unittest

import support
from support import KINDS, PATIENCE, Server, ask, closing_all, eventually

ENTER = "\x1b[?1049h"
LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
COLOUR = re.compile(r"\x1b\[\d+m")
CONTROL = re.compile(r"\x1b\[\??\d*[A-Za-z]")
PICTURE = re.compile(r"(?s:\x1b\[H(.*?)\x1b\[K\x1b\[J)")


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class TerminalServer(Server):
    """An echo server with --status whose standard output is a terminal."""

    def __init__(self, kind, *arguments, rows=30, columns=100, **environment):
        self.master, self.slave = pty.openpty()
        set_size(self.slave, rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.kind = kind
        self.text = ""
        self.changed = threading.Condition()
        self.log = None
        self.process = subprocess.Popen(
            kind.command("--port", "0", "--status", *arguments),
            env={**kind.environment(), "TERM": "xterm", "LC_ALL": "C.UTF-8",
                 "NO_COLOR": "", **environment},
            stdin=subprocess.DEVNULL, stdout=self.slave, stderr=subprocess.PIPE)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        try:
            port = self.wait_for(r"listening on 127\.0\.0\.1:(\d+)\r\n").group(1)
        except BaseException:
            self.close()
            raise
        self.address = ("127.0.0.1", int(port))

    def read(self):
        undecoded = b""
        with contextlib.suppress(OSError):  # the terminal has hung up
            while True:
                if not select.select([self.master], [], [], PATIENCE)[0]:
                    continue
                undecoded += os.read(self.master, 65536)
                if undecoded.endswith(b"\0"):
                    return
                with self.changed:
                    try:
                        self.text += undecoded.decode()
                    except UnicodeDecodeError:
                        continue  # a character is not complete
                    undecoded = b""
                    self.changed.notify_all()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        termios.tcflow(self.slave, termios.TCOON)
        os.write(self.slave, b"\0")  # the reader's end
        self.reader.join()
        os.close(self.slave)
        os.close(self.master)

    def wait_for(self, wanted, start=0):
        """The match of a pattern in what comes to the terminal."""
        with self.changed:
            found = self.changed.wait_for(lambda: re.search(wanted, self.text[start:]),
                                          PATIENCE)
            assert found, f"no {wanted!r} in {self.text[-3000:]!r}"
            return found

    def picture(self):
        """The lines of the last whole picture, without colours."""
        with self.changed:
            found = PICTURE.findall(self.text)
        return re.split("\r+\n", CONTROL.sub("", found[-1])) if found else []

    def figure(self, name):
        """The words that stand behind a name in the last picture."""
        for line in self.picture():
            if line.startswith(name):
                return line[len(name):].split()
        return None

    def answers(self):
        """How many the histogram shows."""
        lines = self.picture()
        first = next((i for i, line in enumerate(lines) if "answers" in line), None)
        if first is None:
            return None
        bucket = re.compile(r" *(?:> )?[\d.]+ (?:us|ms|s) +(\d+) ")
        return sum(int(row[1]) for row in map(bucket.match, lines[first:]) if row)


class StatusTests:
    kind = None

    def start(self, *arguments, **options):
        server = TerminalServer(self.kind, *arguments, **options)
        self.addCleanup(server.close)
        return server

    def assert_eventually(self, server, condition):
        self.assertTrue(eventually(condition), "\n".join(server.picture()))

    def test_the_figures_are_those_of_the_traffic(self):
        clients, messages, size = 7, 20, 1000
        for threads in "1", "4":
            server = self.start("--threads", threads)
            with closing_all() as socks:
                for _ in range(clients):
                    socks.append(server.connect())
                for _ in range(messages):
                    for sock in socks:
                        self.assertEqual(ask(sock, b"x" * size), b"x" * size)
                self.assert_eventually(server, lambda: (
                    server.figure("connections") == [str(clients)]
                    and (server.figure("bytes echoed") or [])[:2] == ["140", "kB"]
                    and server.answers() == clients * messages))
                rate = float(server.figure("pairs a pass")[1])
                self.assertGreater(rate, 0)
                self.assertIn(f"{threads} reactor", server.picture()[0])
                self.assertIn(f" {self.kind.backend}, ", server.picture()[0])
            self.assert_eventually(server,
                                   lambda: server.figure("connections") == ["0"])
            self.assertEqual(server.stop(), 0)

    def test_the_terminal_is_left_as_it_was(self):
        for signum in signal.SIGINT, signal.SIGTERM:
            server = self.start()
            server.wait_for(re.escape(ENTER))
            server.wait_for("connections")
            self.assertEqual(server.stop(signum), 0)
            server.wait_for(re.escape(LEAVE) + r"\Z")
            self.assertEqual(server.text.count(ENTER), server.text.count(LEAVE))
            self.assertEqual(termios.tcgetattr(server.slave), server.before)
            self.assertEqual(server.process.stderr.read(), b"")

    def test_a_client_that_does_not_read_holds_up_the_end_and_not_the_view(self):
        server = self.start()
        with server.connect(4096) as sock:
            support.fill([sock], b"x" * 8_000_000)
            self.assert_eventually(server,
                                   lambda: server.figure("connections") == ["1"])
            server.send_signal(signal.SIGTERM)
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)
        server.wait_for(re.escape(LEAVE) + r"\Z")

    def test_colours(self):
        server = self.start()
        server.wait_for(COLOUR.pattern)
        self.assertEqual(server.stop(), 0)
        server = self.start(NO_COLOR="1")
        server.wait_for("connections")
        with server.connect() as sock:
            ask(sock, b"hello")
            self.assert_eventually(server, lambda: server.answers() == 1)
        self.assertIn("█", "".join(server.picture()))
        self.assertEqual(server.stop(), 0)
        self.assertIsNone(COLOUR.search(server.text))

    def test_without_unicode_it_is_ascii(self):
        server = self.start(LC_ALL="C")
        with server.connect() as sock:
            ask(sock, b"hello")
            self.assert_eventually(server, lambda: server.answers() == 1)
        self.assertIn("#", "".join(server.picture()))
        self.assertTrue(server.text.isascii())
        self.assertEqual(server.stop(), 0)

    def test_it_fits_the_terminal_also_when_that_changes(self):
        server = self.start()
        with server.connect() as sock:
            ask(sock, b"hello")
            self.assert_eventually(server, lambda: server.answers() == 1)
            for rows, columns in (12, 40), (24, 80), (60, 200), (3, 10), (1, 1), (24, 80):
                set_size(server.slave, rows, columns)
                past = len(server.text)
                server.wait_for(2 * PICTURE.pattern, past)
                lines = server.picture()
                self.assertLessEqual(len(lines), rows)
                self.assertLess(max(map(len, lines)), max(columns, 2))
                if rows >= 12:
                    self.assertEqual(server.answers(), 1)
                    self.assertIn(" > ", lines[-1])  # no bucket is left out
                    beside = ["so", "far"] if columns >= 80 else []  # never cut
                    self.assertEqual(server.figure("pairs a pass")[2:], beside)
        self.assertEqual(server.stop(), 0)

    def test_a_held_terminal_holds_up_nobody(self):
        server = self.start()
        server.wait_for("connections")
        termios.tcflow(server.slave, termios.TCOOFF)
        with server.connect() as sock:
            for _ in range(200):
                self.assertEqual(ask(sock, b"hello"), b"hello")
            shown = server.text
            start = time.monotonic()
            while time.monotonic() - start < 1:  # some pictures' time
                self.assertEqual(ask(sock, b"hello"), b"hello")
            self.assertEqual(server.text, shown)
            termios.tcflow(server.slave, termios.TCOON)
            self.assert_eventually(server,
                                   lambda: server.figure("connections") == ["1"])
        self.assertEqual(server.stop(), 0)

    def test_a_held_terminal_does_not_hold_up_its_end(self):
        server = self.start()
        server.wait_for("connections")
        termios.tcflow(server.slave, termios.TCOOFF)
        self.assertEqual(server.stop(), 0)

    def test_it_can_be_suspended(self):
        server = self.start()
        server.wait_for("connections")
        server.send_signal(signal.SIGTSTP)
        server.wait_for(re.escape(LEAVE))
        self.assertTrue(eventually(lambda: self.state(server) == "T"))
        past = len(server.text)
        server.send_signal(signal.SIGCONT)
        server.wait_for(re.escape(ENTER), past)
        with server.connect() as sock:
            self.assertEqual(ask(sock, b"hello"), b"hello")
        self.assertEqual(server.stop(), 0)

    @staticmethod
    def state(server):
        with open(f"/proc/{server.process.pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0]

    def test_there_is_none_without_a_terminal(self):
        with Server(self.kind, "--status") as server:
            with server.connect() as sock:
                self.assertEqual(ask(sock, b"hello"), b"hello")
            self.assertEqual(server.hint, f"try: nc 127.0.0.1 {server.address[1]}\n")
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.process.stdout.read(), b"")
            self.assertEqual(server.errors(), "")

    def test_there_is_none_where_it_cannot_be_shown(self):
        for term in "dumb", "":
            server = self.start(TERM=term)
            with server.connect() as sock:
                self.assertEqual(ask(sock, b"hello"), b"hello")
            self.assertEqual(server.stop(), 0)
            server.wait_for("try: nc .*\n")
            self.assertNotIn("\x1b", server.text)


for each in KINDS:
    if each.program == "echo_server":
        name = f"StatusTests_{each.name}"
        globals()[name] = type(name, (StatusTests, unittest.TestCase),
                               {"kind": each, "__module__": __name__})


if __name__ == "__main__":
    support.main()
