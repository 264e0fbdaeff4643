# SPDX-License-Identifier: MIT
"""The chat room of the soak: its members, and a resident who listens from the first
minute to the last, against whose log all are judged.

The resident's log must have every line that was said, once and in its sender's order;
only a reset may have cost the last of its sender's.
"""
import collections
import re

from chat_member import WELCOME, Member
from engine import READ, Side
from support import PATIENCE, read_to_end

NOTICE = re.compile(rb"\* (\S+) (is here|has left)|\* (\S+) is now (\S+)")
SAID = re.compile(rb"([\w-]+): (.*)", re.S)
AT_ONCE = 12
UNDER_WAY = 32 * 1024  # bytes said and not heard: half of what the server queues for one
MUCH = 4 << 20  # more than the kernel and the server keep for one who does not read
LONGEST_STALL = 8  # seconds


class Resident:
    """Hears all and says nothing."""

    def __init__(self, side):
        self.side = side
        self.rest = b""
        self.sock = side.server.connect()
        self.sock.setblocking(False)

    def ready(self, mask):
        del mask
        data = self.sock.recv(1 << 17)
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.side.log_line(line)
        if not data:
            self.side.complain("the server has hung up on the resident")
            self.side.engine.watch(self, 0)
        self.side.judge_all()


class ChatSide(Side):
    def __init__(self, engine, server, rng):
        super().__init__(engine, server, rng)
        self.log = collections.deque()  # (line, who said it)
        self.base = 0  # the place of the log's first line
        self.names = {}
        self.entrances = {}  # {number of a guest: place}, until it has read its welcome
        self.awaited = {}  # {number of a guest: member}, until the log has its entrance
        self.guests = self.left = 0
        self.expected = {}  # {member: [(line or name, is it a name)], not heard yet}
        self.under_way = self.volume = 0
        self.stalled = []  # (until which volume, member)
        self.welcomed = False
        self.resident = Resident(self)
        engine.watch(self.resident, READ)

    # The log.

    @property
    def end_of_log(self):
        return self.base + len(self.log)

    def line_at(self, place):
        return self.log[place - self.base][0]

    def next_place(self, member, place):
        """The next line that is not the member's own."""
        while place < self.end_of_log and self.log[place - self.base][1] is member:
            place += 1
        return place

    def forget_old(self):
        """All have heard the first lines of the log."""
        places = [c.place for c in self.clients if c.place is not None]
        places += self.entrances.values()
        first = min(places, default=self.end_of_log)
        while self.base < first:
            self.log.popleft()
            self.base += 1

    def log_line(self, line):
        said = SAID.fullmatch(line)
        if said:
            self.log_said(line, *said.groups())
        elif notice := NOTICE.fullmatch(line):
            self.log_notice(line, *notice.groups())
        elif WELCOME.fullmatch(line) and not self.welcomed:
            self.welcomed = True
        else:
            self.complain(f"the resident hears {line!r}")

    def log_said(self, line, name, text):
        member = self.names.get(name)
        self.log.append((line, member))
        self.take_expected(member, name, text, False)

    def take_expected(self, member, name, text, is_name):
        wanted = self.expected.get(member)
        if not wanted:
            self.complain(f"{name} is heard more than it says: {text[:60]!r}")
            return
        self.under_way -= len(wanted[0][0])
        self.volume += len(wanted[0][0])
        if wanted.popleft() != (text, is_name):
            self.complain(f"{name} is heard with a wrong line: {text[:60]!r}")

    def log_notice(self, line, name, event, old, new):
        member = self.names.get(name or old)
        self.log.append((line, None))
        if event == b"is here":
            self.log_entrance(name)
        elif event == b"has left":
            self.log_leaving(name, member)
        else:
            self.take_expected(member, old, new, True)
            self.names[new] = self.names.pop(old, None)

    def log_entrance(self, name):
        self.guests += 1
        number = self.guests + 1  # the resident is the first
        if name != b"guest%d" % number:
            self.complain(f"{name} is here, not guest {number}")
        member = self.names[name] = self.awaited.pop(number, None)
        if member:
            member.place = self.end_of_log
        else:
            self.entrances[number] = self.end_of_log

    def log_leaving(self, name, member):
        self.left += 1
        if name not in self.names:
            self.complain(f"{name} has left and was not there")
        self.names.pop(name, None)
        if member:
            self.lose(member)
            member.left = self.end_of_log - 1
        else:
            self.entrances.pop(int(name[5:]), None)

    def lose(self, member):
        """What has not been heard of one who has left never will."""
        rest = self.expected.pop(member)
        self.under_way -= sum(len(line) for line, _ in rest)
        if rest and member.leaving:
            self.complain(f"{len(rest)} lines of {member.name} are lost")

    # The members.

    def expect(self, member, line, is_name=False):
        if line:
            self.expected[member].append((line, is_name))
            self.under_way += len(line)

    def has_entered(self, member, number):
        """Its entrance may not be in the log yet."""
        self.expected[member] = collections.deque()
        if number in self.entrances:
            member.place = self.entrances.pop(number)
            self.names[b"guest%d" % number] = member
        else:
            self.awaited[number] = member

    def stall_until_much_was_said(self, member):
        self.stalled.append((self.volume + MUCH, member))
        self.engine.call_later(LONGEST_STALL, member.go_on)

    def judge_all(self):
        for client in list(self.clients):
            if client.name:
                client.judge()
        while self.stalled and self.stalled[0][0] <= self.volume:
            self.stalled.pop(0)[1].go_on()

    def finish(self):
        super().finish()
        while self.stalled:
            self.stalled.pop()[1].go_on()

    def begin(self):
        self.finishing = False
        while len(self.clients) < AT_ONCE:
            self.add()

    def add(self):
        member = Member(self)
        self.count("connections")
        if member.manner == "pass by":
            member.go(self.rng.random() < 0.5)
        else:
            self.clients.add(member)
            member.watch()

    def ended(self, member):
        self.clients.discard(member)
        self.engine.call_later(self.rng.uniform(0, 0.05), self.replace)

    def replace(self):
        if not self.finishing and len(self.clients) < AT_ONCE:
            self.add()

    def step(self):
        """Let them talk, but never more than all can hear."""
        talkers = [client for client in self.clients if client.can_talk]
        while talkers and self.under_way < UNDER_WAY:
            member = self.rng.choice(talkers)
            member.talk()
            if not member.can_talk or self.rng.random() < 0.05:
                break

    def tend(self):
        super().tend()
        self.forget_old()

    @property
    def is_idle(self):
        came = self.figures["connections"]
        return self.welcomed and not self.clients and self.guests == self.left == came

    def see_the_end(self):
        """The resident, who is still there, is told."""
        sock = self.resident.sock
        self.engine.watch(self.resident, 0)
        sock.settimeout(PATIENCE)
        if (text := read_to_end(sock)) != b"* the server stops\n":
            self.complain(f"the resident's last words are {text!r}")
        sock.close()

    def close(self):
        super().close()
        self.resident.sock.close()
