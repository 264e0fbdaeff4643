# SPDX-License-Identifier: MIT
"""One member of the soak's chat room: how it behaves, and how what it hears is judged.

The room's log is what a resident who only listens has heard.  A member must hear the
same lines in the same order, from its own entrance to its leaving, less its own; and
besides, what is told to it alone.  `place` is its place in the log.
"""
import contextlib
import re
import socket
import zlib

from engine import READ, WRITE
from hostile_text import LINE_LIMIT, TOO_LONG, cleaned, nasty_line
from support import reset

WELCOME = re.compile(rb"\* welcome, guest(\d+): /nick NAME renames you, exit leaves")
SKIPPED = re.compile(rb"\* you read too slowly: (\d+) lines skipped")
SMALL = 64 * 1024  # receive buffer; a much smaller one takes minutes to be emptied
GOOD_BYE = b"* good bye"
MANNERS = ["steady", "steady", "steady", "noise", "noise", "stall", "reset", "leave",
           "pass by"]


class Member:
    def __init__(self, side):
        self.side, self.rng = side, side.rng
        self.manner = self.rng.choice(MANNERS)
        self.lines = self.rng.choice([1, 10, 100, 1000])  # how many it has to say
        self.name = None
        self.number = 0  # of lines that it has said
        self.renames = 0
        self.place = None
        self.left = None  # the place in the log of the line that tells so
        self.rest = b""  # of a line that has not come to its end
        self.heard = []  # and not judged yet
        self.replies = []  # to it alone
        self.to_send = b""
        self.stalled = self.leaving = self.half_closing = False
        self.ended = self.gone = False  # the server has, we have
        self.news = side.engine.now
        self.sock = side.server.connect(SMALL if self.manner == "stall" else None)
        self.sock.setblocking(False)
        if self.manner == "stall":
            side.engine.call_later(self.rng.uniform(0.1, 0.5), self.stall)

    def watch(self):
        sending = WRITE if self.to_send else 0
        nothing = self.stalled or self.ended
        self.side.engine.watch(self, 0 if nothing else READ | sending)

    def stall(self):
        """Read nothing until much was said, or for some seconds."""
        if self.name and not self.gone:
            self.stalled = True
            self.side.stall_until_much_was_said(self)
            self.watch()

    def go_on(self):
        self.stalled = False
        self.news = self.side.engine.now
        if not self.gone:
            self.watch()

    def ready(self, mask):
        self.news = self.side.engine.now
        try:
            if mask & WRITE:
                self.send()
            if mask & READ:
                self.receive()
        except OSError as error:
            self.abandon(str(error))

    def send(self, data=b""):
        self.to_send += data
        with contextlib.suppress(BlockingIOError):
            self.to_send = self.to_send[self.sock.send(self.to_send):]
        if self.half_closing and not self.to_send:
            self.sock.shutdown(socket.SHUT_WR)
        self.watch()

    # What it says.

    @property
    def can_talk(self):
        busy = self.leaving or self.stalled or self.to_send or self.ended or self.gone
        return self.place is not None and not busy

    def talk(self):
        """Say one thing more, or leave."""
        try:
            if self.lines == 0 or self.side.finishing:
                self.leave()
            else:
                self.lines -= 1
                self.say_something()
        except OSError as error:
            self.abandon(str(error))

    def say_something(self):
        dice = self.rng.random()
        if dice < 0.01:
            self.rename()
        elif self.manner == "noise" and dice < 0.7:
            self.make_noise()
        else:
            self.say()

    def say(self, ends=(b"\n", b"\n", b"\r\n")):
        """A line with a number and a checksum."""
        data = self.rng.randbytes(self.rng.choice([1, 20, 100, 480, 480])).hex()
        text = f"{self.number} {data}"
        self.number += 1
        line = f"{zlib.crc32(text.encode()):08x} {text}".encode()
        self.side.expect(self, line)
        self.send(line + self.rng.choice(ends))

    def make_noise(self):
        line = nasty_line(self.rng, self.rng.choice([10, 100, LINE_LIMIT, 1500]))
        if len(line) > LINE_LIMIT:
            self.replies.append(TOO_LONG)
        else:
            self.side.expect(self, cleaned(line.removesuffix(b"\r")))
        self.send(line + b"\n")

    def rename(self):
        self.renames += 1
        wanted = f"{self.first_name}-{self.renames}".encode()
        self.side.expect(self, wanted, is_name=True)
        self.send(b"/nick " + wanted + b"\n")

    def leave(self):
        """Only when all is heard: what is told to a slow reader alone may be skipped."""
        if self.manner in ("reset", "leave"):
            self.go(self.manner == "reset")
        elif self.manner != "stall" or self.is_level:
            self.leaving = True
            if self.rng.random() < 0.5:
                self.replies.append(GOOD_BYE)
                self.send(b"exit\n")
            else:
                self.half_close()

    @property
    def is_level(self):
        return self.side.next_place(self, self.place) == self.side.end_of_log

    def half_close(self):
        self.side.count("half-closes")
        self.half_closing = True
        if self.rng.random() < 0.5:
            self.say(ends=[b""])  # its last words
        else:
            self.send()

    def go(self, with_reset):
        """Leave, whatever is under way."""
        self.side.engine.watch(self, 0)
        if with_reset:
            self.side.count("resets")
            reset(self.sock)
        self.end()

    def end(self):
        self.gone = True
        self.side.engine.close(self)
        self.side.ended(self)

    def abandon(self, why):
        self.side.complain(f"{self.name} ({self.manner}): {why}")
        self.end()

    # What it hears.

    def receive(self):
        data = self.sock.recv(1 << 17)
        self.ended = not data
        self.side.count("bytes", len(data))
        *lines, self.rest = (self.rest + data).split(b"\n")
        self.heard += lines
        if self.name is None and self.heard:
            self.enter(self.heard.pop(0))
        if not self.gone:
            self.watch()
            self.judge()

    def enter(self, line):
        welcome = WELCOME.fullmatch(line)
        if not welcome:
            self.abandon(f"was welcomed with {line!r}")
            return
        self.name = self.first_name = "guest" + welcome[1].decode()
        self.side.has_entered(self, int(welcome[1]))

    def judge(self):
        """Compare what was heard with the log, as far as the log goes."""
        if self.place is None or self.gone:
            return
        done = 0
        for line in self.heard:
            verdict = self.judge_line(line)
            if verdict == "later":
                break
            done += 1
            if verdict != "right":
                self.abandon(verdict)
                return
        del self.heard[:done]
        if self.ended and not self.heard and self.left is not None:
            self.judge_end()

    def judge_line(self, line):
        """"right", "later", or what is wrong."""
        if self.replies and line == self.replies[0]:
            self.replies.pop(0)
            return "right"
        skipped = SKIPPED.fullmatch(line)
        if skipped:
            return self.skip(int(skipped[1]))
        self.place = self.side.next_place(self, self.place)
        if self.place == self.side.end_of_log:
            return "later"
        wanted = self.side.line_at(self.place)
        if line != wanted:
            return f"heard {line[:60]!r}..., not {wanted[:60]!r}..."
        self.place += 1
        self.side.count("lines")
        return "right"

    def skip(self, number):
        if self.manner != "stall":
            return f"was said to miss {number} lines, though it reads"
        place = self.place
        for _ in range(number):
            place = self.side.next_place(self, place)
            if place == self.side.end_of_log:
                return "later"
            place += 1
        self.place = place
        self.side.count("skipped", number)
        return "right"

    def judge_end(self):
        """It must have heard all up to its own leaving."""
        place = self.side.next_place(self, self.place)
        if place != self.left:
            self.abandon(f"did not hear {self.left - place} lines before its end")
        elif self.replies:
            self.abandon(f"was not told {self.replies[0]!r}")
        elif self.rest:
            self.abandon("the last line has no end")
        else:
            self.end()
