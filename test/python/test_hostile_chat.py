# SPDX-License-Identifier: MIT
"""The chat room full of hostile clients, on every backend.

Run as support.py says; hostile.py says how TEST_LEVEL sets the sizes.  The random tests
print their seed and take it back from TEST_SEED.
"""
import collections
import contextlib
import os
import random
import re
import signal
import socket
import time

import support
from hostile import (HostileTests, at_level, at_rest, for_each_backend, kernel_queues,
                     report, setUpModule, tearDownModule, unread)
from hostile_room import Room, transcript
from hostile_text import LINE_LIMIT, TOO_LONG, cleaned, nasty_line
from support import read_to_end, reset

__all__ = ["setUpModule", "tearDownModule"]

QUEUE_LIMIT = 64 * 1024
MEBIBYTE = 1 << 20
ROUND = 48  # lines of 1,000 bytes that are said before all have heard them
CROWD = 50  # clients of the churn that are there at once
SEED = int(os.environ.get("TEST_SEED", time.time_ns() % 1000000))


class Chat(HostileTests):
    program = "chat_server"

    def room(self, *arguments):
        room = Room(self.start(*arguments))
        self.addCleanup(room.close)
        return room

    def assert_empties_and_ends(self, room, descriptors):
        while room.members:
            room.leave(room.members[-1])
        self.assert_as_before(room.server, descriptors)
        self.assert_ends_well(room.server)

    def assert_all_heard(self, room, reference):
        """Each has heard what the one with the reference has, less what it said."""
        for member in room.members:
            text = reference
            if member.name + b": " in reference:
                text = member.without_own(reference)
            self.assertTrue(member.text == text, f"{member.name} hears something else")

    def say_round(self, room, talkers, number):
        """A round of long lines.  Returns what one hears who says nothing."""
        said = [(talkers[i % len(talkers)], b"%d.%d " % (number, i) + b"z" * 980)
                for i in range(ROUND)]
        room.say(said)
        heard = bytes(room.members[len(talkers)].text)
        for talker in talkers:
            own = talker.name + b": "
            self.assertEqual(
                [line for line in heard.splitlines(True) if line.startswith(own)],
                [own + line + b"\n" for member, line in said if member is talker])
        self.assert_all_heard(room, heard)
        room.forget()
        return heard

    def fill_mute(self, room, mute, talkers):
        """Talk until nothing more fits for one who never reads.  Returns the text."""
        heard, port = b"", mute.sock.getsockname()[1]
        before, now = None, 0
        while before != now:
            for _ in range(10):  # more than its queue holds
                heard += self.say_round(room, talkers, len(heard))
            before, now = now, kernel_queues(room.server)[port] + unread(mute.sock)
        return heard

    def assert_mute_has_its_share(self, room, mute, heard):
        """What one reads at last is in order, then how many lines are missing."""
        in_the_kernel = at_rest(lambda: kernel_queues(room.server)[
            mute.sock.getsockname()[1]] + unread(mute.sock))
        mute.read_at_last()
        text = bytes(mute.text).removeprefix(transcript(mute, mute.number))
        had, skipped = re.fullmatch(
            rb"(.*\n)\* you read too slowly: (\d+) lines skipped\n", text, re.S).groups()
        self.assertTrue(heard.startswith(had))
        self.assertEqual(had.count(b"\n") + int(skipped), heard.count(b"\n"))
        queued = len(mute.text) - len(text) + len(had) - in_the_kernel
        self.assertLessEqual(queued, QUEUE_LIMIT)
        self.assertGreater(queued, QUEUE_LIMIT // 2)
        mute.text.clear()
        return int(skipped)

    def test_a_full_room_with_one_who_never_reads(self):
        count = self.room_for(at_level(100, 1000, 1000))
        room = self.room()
        before = room.server.descriptors()
        talkers = room.enter(5)[:4]
        mute = room.enter_mute()
        room.forget()
        room.members.remove(mute)
        self.addCleanup(mute.sock.close)
        heard = self.fill_mute(room, mute, talkers)
        room.enter(count - room.entered)
        entered = transcript(mute, count).partition(b"\n")[2]
        for member in room.members:
            self.assertEqual(member.text, entered if member.number < mute.number
                             else transcript(member, count))
        room.forget()
        heard += entered
        for number in range(at_level(2, 5, 100)):
            heard += self.say_round(room, talkers, number)
        skipped = self.assert_mute_has_its_share(room, mute, heard)
        report(self, f"a room of {count}; one never reads and misses {skipped} of "
                     f"{len(heard.splitlines())} lines")
        self.say_round(room, talkers, 0)
        mute.sock.close()
        self.assert_empties_and_ends(room, before + count // 20)

    def test_lines_of_ten_mebibytes(self):
        size = at_level(1, 10, 10) * MEBIBYTE
        rounds = at_level(2, 3, 20)
        room = self.room()
        before = room.server.descriptors()
        loud, quiet = room.enter(2)
        room.forget()
        memory = room.server.memory()
        for i in range(rounds):
            loud.sock.settimeout(support.PATIENCE)
            loud.sock.sendall(b"x" * size + b"\n%d\n" % i)
            loud.sock.setblocking(False)
            room.hear(lambda member: member.text.endswith(b"\n"))
            self.assertEqual(quiet.text, b"%b: %d\n" % (loud.name, i))
            self.assertEqual(loud.text, TOO_LONG + b"\n")
            self.assert_little_more(room.server, memory)
            room.forget()
        report(self, f"{rounds} lines of {size >> 20} MiB")
        self.assert_empties_and_ends(room, before)

    def expected(self, member, line):
        """(what its sender hears, what others hear)"""
        if len(line) > LINE_LIMIT:
            return TOO_LONG + b"\n", b""
        text = cleaned(line.removesuffix(b"\r"))
        return b"", b"%b: %b\n" % (member.name, text) if text else b""

    def test_any_bytes_are_cleaned(self):
        count, rng = at_level(300, 10000, 200000), random.Random(SEED)
        report(self, f"{count} lines of any bytes, TEST_SEED={SEED}")
        room = self.room()
        before = room.server.descriptors()
        loud, quiet = room.enter(2)
        for _ in range(0, count, 10):
            room.forget()
            lines = [nasty_line(rng, rng.choice([1, 10, 100, LINE_LIMIT, 1100]))
                     for _ in range(9)] + [rng.choice([b"", b"\r", b"\r\r", b"\0"])]
            wanted = [b"".join(part) for part in
                      zip(*(self.expected(loud, line) for line in lines))]
            data = b"".join(line + b"\n" for line in lines)
            while data:
                data = data[loud.sock.send(data[:rng.randrange(1, 4000)]):]
            room.hear(lambda member: len(member.text) >= len(wanted[member is quiet]))
            self.assertEqual([bytes(loud.text), bytes(quiet.text)], wanted,
                             f"TEST_SEED={SEED}")
        self.assert_empties_and_ends(room, before)

    def test_one_byte_writes(self):
        count = at_level(2, 10, 100)
        room = self.room()
        before = room.server.descriptors()
        members = room.enter(3)
        room.forget()
        for number in range(count):
            lines = [b"%d from %d" % (number, member.number) for member in members]
            for at in range(max(map(len, lines)) + 1):
                for member, line in zip(members, lines):
                    member.sock.send((line + b"\n")[at:at + 1])
            said = [b"%b: %b\n" % pair for pair in zip((m.name for m in members), lines)]
            room.hear(lambda member: member.text.count(b"\n") == 2)
            for member, own in zip(members, said):
                self.assertEqual(sorted(member.text.splitlines(True)),
                                 [line for line in said if line != own])
            room.forget()
        report(self, f"{3 * count} lines byte by byte")
        self.assert_empties_and_ends(room, before)

    def come_and_go(self, room):
        """A crowd of whom each leaves in its own way.  Returns the lines that must be
        heard, and those that may.
        """
        surely, perhaps = [], set()
        socks = [room.server.connect() for _ in range(CROWD)]
        for i, sock in enumerate(socks):
            room.entered += 1
            name = b"guest%d" % room.entered
            surely += [b"* %b is here" % name, b"* %b has left" % name]
            line = b"%b: I am number %d" % (name, i)
            surely += [line] if i % 4 < 2 else []
            perhaps |= {line}
            sock.send(b"I am number %d" % i + [b"\nexit\n", b"", b"\n", b""][i % 4])
            if i % 4 == 1:
                sock.shutdown(socket.SHUT_WR)
            if i % 4 == 2:
                reset(sock)
        for i, sock in enumerate(socks):
            if i % 4 < 2:
                text = read_to_end(sock)
                self.assertEqual(text.endswith(b"\n* good bye\n"), i % 4 == 0, text)
            sock.close()
        return surely, perhaps

    def churn(self, room, rounds):
        resident = room.members[0]
        for _ in range(rounds):
            room.forget()
            surely, perhaps = self.come_and_go(room)
            room.hear(lambda member: member.text.count(b" has left\n") >= CROWD)
            heard = collections.Counter(bytes(resident.text).splitlines())
            missing = collections.Counter(surely) - heard
            beyond = heard - collections.Counter(surely)
            self.assertEqual(missing, {})
            self.assertLessEqual(set(beyond), perhaps)
            self.assertLessEqual(set(beyond.values()), {1})

    def test_a_churn_of_guests_leaves_nothing(self):
        count = at_level(500, 10000, 1000000)
        room = self.room()
        empty = room.server.descriptors()
        room.enter(1)
        self.churn(room, 5)
        descriptors, memory = room.server.descriptors(), room.server.memory()
        start = time.monotonic()
        self.churn(room, count // CROWD)
        report(self, f"{count} guests came and went, "
                     f"{count / (time.monotonic() - start):.0f} a second")
        self.assert_as_before(room.server, descriptors)
        self.assert_little_more(room.server, memory)
        self.assert_empties_and_ends(room, empty + CROWD // 20)

    def test_sigterm_under_load_sends_what_is_queued(self):
        count, lines = self.room_for(at_level(30, 300, 900)), at_level(300, 1000, 3000)
        room, said = self.room(), collections.Counter()
        stop = iter([signal.SIGTERM])  # once: a second would end it at once
        room.enter(count)
        room.forget()
        quiet, *loud = room.members[:5]

        def talk_on():
            """Not more than is read; and the server is stopped in the midst of it."""
            heard = quiet.text.count(b"\n")
            if heard >= lines:
                for signum in stop:
                    room.server.send_signal(signum)
            while said.total() < min(heard + ROUND, 2 * lines):
                member = loud[said.total() % len(loud)]
                with contextlib.suppress(OSError):  # its end has come
                    member.sock.send(b"%d\n" % said[member])
                said[member] += 1

        talk_on()
        room.hear(lambda member: member.ended, talk_on)
        self.assertEqual(room.server.wait(), 0)
        self.assertEqual(room.server.errors(), "")
        heard = bytes(quiet.text)
        report(self, f"SIGTERM to a room of {count} after {heard.count(10)} lines")
        self.assertTrue(heard.endswith(b"\n* the server stops\n"))
        self.assert_all_heard(room, heard)
        for member in loud:
            numbers = re.findall(rb"(?m)^%b: (\d+)$" % member.name, heard)
            self.assertEqual(numbers, [b"%d" % i for i in range(len(numbers))])


for_each_backend(Chat, globals())


if __name__ == "__main__":
    support.main()
