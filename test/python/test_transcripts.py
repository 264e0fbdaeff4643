# SPDX-License-Identifier: MIT
"""Fixed client scripts, played to every server: the transcripts are the same.

Run as support.py says.  A script is a list of steps; its transcript has a line for
every step that hears something from the server.
"""
import hashlib
import random
import socket
import unittest

import support
from support import KINDS, Server, ask, pump, read_exactly, read_to_end, reset

MEBIBYTE = random.Random(1).randbytes(1 << 20)


def digest(data):
    return f"{len(data)} bytes {hashlib.sha256(data).hexdigest()[:16]}"


class Player:
    """Plays scripts to one server; a step is a method's name and its arguments."""

    def __init__(self, server):
        self.server = server
        self.sock = None
        self.transcript = []

    def play(self, script):
        self.transcript = []
        self.sock = self.server.connect()
        try:
            for step, *arguments in script:
                heard = getattr(self, step)(*arguments)
                if heard is not None:
                    self.transcript.append(f"{step}: {heard!r}")
        finally:
            self.sock.close()
        return self.transcript

    def send(self, data):
        self.sock.sendall(data)

    def urgent(self, byte):
        self.sock.send(byte, socket.MSG_OOB)

    def read(self, size):
        return read_exactly(self.sock, size)

    def ask(self, data):
        return ask(self.sock, data)

    def shutdown(self):
        self.sock.shutdown(socket.SHUT_WR)

    def end(self):
        return read_to_end(self.sock)

    def pump(self, data):
        return digest(pump(self.sock, data))

    def again(self):
        """Reset this connection, make another."""
        reset(self.sock)
        self.sock = self.server.connect()


SCRIPTS = {
    "a word": (
        [("ask", b"hello")],
        ["ask: b'hello'"]),
    "words in a row": (
        [("ask", b"one"), ("ask", b"two"), ("ask", b"three")],
        ["ask: b'one'", "ask: b'two'", "ask: b'three'"]),
    "three sends, one read": (
        [("send", b"in "), ("send", b"three "), ("send", b"parts"), ("read", 14)],
        ["read: b'in three parts'"]),
    "nothing but an end": (
        [("shutdown",), ("end",)],
        ["end: b''"]),
    "a word and an end": (
        [("send", b"good bye\n"), ("shutdown",), ("end",)],
        ["end: b'good bye\\n'"]),
    "an end after an answer": (
        [("ask", b"x"), ("shutdown",), ("end",)],
        ["ask: b'x'", "end: b''"]),
    "no text": (
        [("ask", b"\0\xff\r\n\x1b[2J\0")],
        ["ask: b'\\x00\\xff\\r\\n\\x1b[2J\\x00'"]),
    "an urgent byte is not echoed": (
        [("ask", b"ab"), ("urgent", b"!"), ("ask", b"cd"), ("shutdown",), ("end",)],
        ["ask: b'ab'", "ask: b'cd'", "end: b''"]),
    "a reset, then another client": (
        [("send", b"lost"), ("again",), ("ask", b"found"), ("shutdown",), ("end",)],
        ["ask: b'found'", "end: b''"]),
    "a mebibyte and an end": (
        [("pump", MEBIBYTE)],
        [f"pump: {digest(MEBIBYTE)!r}"]),
}

class Transcripts(unittest.TestCase):
    def test_every_server_gives_the_same(self):
        for kind in KINDS:
            with Server(kind) as server:
                player = Player(server)
                for name, (script, expected) in SCRIPTS.items():
                    with self.subTest(server=kind.name, script=name):
                        self.assertEqual(player.play(script), expected)


if __name__ == "__main__":
    support.main()
