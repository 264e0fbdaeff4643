# SPDX-License-Identifier: MIT
"""The lessons on load, chat, processes, server models and costs: each C program and its
Python twin, run from outside, with the same outcome for both.

Run as support.py says.  For lesson NN there are test_NN_c_runs, test_NN_twin_runs,
test_NN_same_transcript and test_NN_crossed: client of one language, server of the other,
where there are two ends.  What differs by nature, such as process ids and times, is
taken out before transcripts are compared.
"""
import contextlib
import json
import os
import pty
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import support
from support import INSTRUMENTED, TWINS, Kind, Server, closing_all, eventually, read_exactly

SIDES = ("c", "twin")
ROUNDING = 0.006  # times are printed in hundredths of a second
ONE_PROGRAM = "one program: there is nothing to cross"


def kind(program, side):
    return Kind(f"{program}_{side}", program if side == "c" else f"{program}.py")


def session_members(session):
    """The processes of a session that still run."""
    members = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
            state, _, _, its_session = file.read().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                members.append(int(pid))
    return members


class Ended:
    """A program that was run to its end, in a session of its own."""

    def __init__(self, program, side, *arguments):
        one = kind(program, side)
        process = subprocess.Popen(
            one.command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=one.environment(), start_new_session=True)
        try:
            out, err = process.communicate(timeout=3 * support.PATIENCE)
        finally:
            process.kill()
            process.wait()
            self.nothing_left = eventually(lambda: not session_members(process.pid))
            for pid in session_members(process.pid):
                os.kill(pid, signal.SIGKILL)
        self.status = process.returncode
        self.out, self.err = out.decode(), err.decode()


def number_pids(text):
    """Process ids by the order in which they appear."""
    seen = {}
    return re.sub(r"\b(process|parent|parent now|threads|and) (\d+)\b",
                  lambda m: f"{m[1]} P{seen.setdefault(m[2], len(seen))}", text)


def without_times(text):
    return re.sub(r"\d+\.\d+", "T", text)


class LessonTests:
    """A lesson of one program that prints and ends."""

    program, arguments = None, ()
    descriptors = 0  # that it shows

    def run_side(self, side):
        support.need_descriptors(self, self.descriptors)
        ended = Ended(self.program, side, *self.arguments)
        self.assertEqual((ended.status, ended.err), (0, ""))
        self.assertTrue(ended.nothing_left)
        self.check(ended.out)
        return ended.out

    def check(self, out):
        self.assertNotEqual(out, "")

    def transcript(self, out):
        return out

    def c_runs(self):
        self.run_side("c")

    def twin_runs(self):
        self.run_side("twin")

    def same_transcript(self):
        c, twin = (self.transcript(self.run_side(side)) for side in SIDES)
        self.assertEqual(c, twin)

    def crossed(self):
        self.skipTest(ONE_PROGRAM)


def lesson(number):
    """Name a class's four tests after their lesson."""
    def name(base):
        tests = {f"test_{number:02}_{test}": getattr(base, test)
                 for test in ("c_runs", "twin_runs", "same_transcript", "crossed")}
        return type(base.__name__, (base, unittest.TestCase),
                    {**tests, "__module__": base.__module__})
    return name


@lesson(8)
class SelectorKey(LessonTests):
    program = "selector_key"

    def check(self, out):
        self.assertIn("a file: refused", out)
        self.assertIn("mask WRITE of READ|WRITE", out)
        self.assertIn("select: fileno no, descriptor 1500 no", out)

    def transcript(self, out):
        kept = [line for line in out.splitlines()
                if not line.startswith(("uv:", "devpoll:", "kqueue:"))]
        return [re.sub(r"fd \d+", "fd N", line) for line in kept]


@lesson(15)
class ThreeTasks(LessonTests):
    program, arguments = "three_tasks", ("--unit", "0.01")

    def check(self, out):
        seconds = {how: float(s) for how, s in re.findall(r"([a-z ]+): ([\d.]+) s", out)}
        # Nine steps and all the waits; each alone at least its own.
        self.assertGreaterEqual(seconds["one after another"], (9 + 24) * 0.01 - ROUNDING)
        self.assertGreaterEqual(seconds["threads"], (3 + 10) * 0.01 - ROUNDING)
        self.assertGreaterEqual(seconds["events"], (9 + 3) * 0.01 - ROUNDING)
        rows = re.findall(r"task \d \|(.*)\|", out)
        self.assertEqual(len(rows), 9)
        self.assertTrue(all(re.fullmatch(r"[-#. ]+", row) for row in rows))
        self.assertTrue(rows[2].startswith("-"))  # the last of those one after another

    def transcript(self, out):
        return re.sub(r"\|.*\|", "|row|", without_times(out))


@lesson(17)
class Processes(LessonTests):
    program, arguments = "processes", ("--count", "4")

    def check(self, out):
        lines = number_pids(out).splitlines()
        self.assertEqual(lines[0], "main: process P0")
        for line in lines[1:5]:
            child, parent, first, second = re.search(
                r"process (\w+), its parent (\w+), threads (\w+) and (\w+)",
                line).groups()
            self.assertEqual((parent, first), ("P0", child))
            self.assertNotEqual(first, second)
        self.assertEqual(lines[5:9], ["child 1 ended with 1", "child 2 ended with 2",
                                      "child 3 ended with 3",
                                      "child 4 was ended by signal 15"])
        self.assertNotIn("parent P0", lines[9])
        self.assertTrue(lines[10].endswith("its parent now P0"))

    def transcript(self, out):
        return number_pids(out)


@lesson(18)
class BetweenProcesses(LessonTests):
    program = "between_processes"

    def check(self, out):
        order = re.search(r"they came: \[(.*)\]", out)[1]
        self.assertEqual(sorted(map(int, order.split(", "))), list(range(1, 11)))
        self.assertIn("the child's queue has 1, its parent's 0", out)
        self.assertIn("{processes: 10, sum: 55}", out)

    def transcript(self, out):
        return re.sub(r"they came: .*", "they came", out)


@lesson(18)
class SharedMemory(LessonTests):
    program = "shared_memory"

    def check(self, out):
        self.assertIn("added 1000 each: 4000", out)
        self.assertIn("5 of 5 blocks are whole", out)


@lesson(19)
class Pool(LessonTests):
    program = "pool"
    arguments = ("--workers", "3", "--tasks", "7", "--seconds", "0.05")

    def check(self, out):
        main = re.search(r"main: process (\d+)", out)[1]
        for how in ("apply", "callback"):
            found = re.findall(rf"{how}: task (\d) gave (\d+), from process (\d+)", out)
            self.assertEqual(sorted((int(t), int(v)) for t, v, _ in found),
                             [(t, t + 100) for t in range(7)])
            self.assertEqual(len({pid for _, _, pid in found} - {main}), 3)
        serial, together = map(float, re.search(
            r"apply took ([\d.]+) s, apply_async ([\d.]+) s", out).groups())
        self.assertGreaterEqual(serial, 7 * 0.05 - ROUNDING)
        self.assertGreaterEqual(together, 3 * 0.05 - ROUNDING)
        self.assertLess(out.index("no more tasks"), out.index("callback:"))

    def transcript(self, out):
        lines = without_times(re.sub(r"process \d+", "process P", out)).splitlines()
        return sorted(lines[9:-2]), lines[:9], lines[-2:]


class ReadyMade(unittest.TestCase):
    """multiprocessing's own say what the C programs say, which make the same by hand."""

    def output(self, program, side):
        ended = Ended(program, side)
        self.assertEqual((ended.status, ended.err, ended.nothing_left), (0, "", True))
        return ended.out

    def comparable(self, out):
        """What differs from run to run taken out, and what comes in any order sorted."""
        lines = without_times(re.sub(r"process \d+", "process P", out)).splitlines()
        return sorted(re.sub(r"they came: .*", "they came", line) for line in lines)

    def test_lines(self):
        made = self.output("ready_made", "twin")
        shown = (TWINS.parent / "transcripts" / "ready-made.txt").read_text()
        self.assertEqual(self.comparable(made),
                         self.comparable(re.sub(r"(?m)^    |^\$.*\n", "", shown)))
        by_hand = [line for program in ("processes", "between_processes", "shared_memory", "pool")
                   for line in self.comparable(self.output(program, "c"))]
        self.assertEqual([line for line in self.comparable(made) if line not in by_hand], [])


@lesson(20)
class HowMany(LessonTests):
    program, arguments = "how_many", ("--most", "2000", "--waits", "20")
    descriptors = 2200

    def table(self, out):
        lines = out.splitlines()
        names, rows = lines[1].split()[1:], [line.split() for line in lines[2:6]]
        return {(int(row[0]), name): cost
                for row in rows for name, cost in zip(names, row[1:]) if name != "uv"}

    def check(self, out):
        table = self.table(out)
        self.assertEqual(table.pop((2000, "select")), "-")
        self.assertTrue(all(float(cost) > 0 for cost in table.values()))
        self.assertGreaterEqual(out.count("#"), len(table))

    def transcript(self, out):
        return {cell: cost == "-" for cell, cost in self.table(out).items()}


@lesson(14)
class ServerModels(LessonTests):
    program, arguments = "server_models", ("--measure",)
    models = ("fork", "thread", "loop")

    def check(self, out):
        numbers = [list(map(int, line.split())) for line in out.splitlines()[2:]]
        self.assertEqual([row[0] for row in numbers], [1, 10, 100])
        self.assertTrue(all(rate > 0 for row in numbers for rate in row[1:]))

    def transcript(self, out):
        lines = [line.split() for line in out.splitlines()]
        return lines[:2], [(row[0], len(row)) for row in lines[2:]]

    def crossed(self):
        for model in self.models:
            for side, other in (SIDES, SIDES[::-1]):
                with self.subTest(model=model, server=side), \
                        Server(kind(self.program, side), "--model", model) as server:
                    port = str(server.address[1])
                    ended = Ended("load", other, "--port", port, "-c", "20", "-s", "5000")
                    self.assertEqual((ended.status, ended.err), (0, ""))
                    with server.connect() as sock:  # served while it is told to stop
                        sock.sendall(b"x")
                        self.assertEqual(sock.recv(1), b"x")
                        self.assertEqual(server.stop(signal.SIGINT), 0)
                        self.assertEqual(sock.recv(1), b"")

    def test_14_no_room_for_another_client(self):
        """One that could not be accepted kept the loop spinning."""
        for model in self.models:
            with self.subTest(model=model), \
                    Server(kind(self.program, "c"), "--model", model) as server:
                allowed = server.allow_descriptors(3)
                with server.connect() as sock:
                    before = server.cpu()
                    time.sleep(1)
                    self.assertLess(server.cpu() - before, 0.1)
                    server.allow_descriptors(allowed)
                    sock.sendall(b"x")
                    self.assertEqual(sock.recv(1), b"x")


@lesson(10)
class Load(LessonTests):
    program = "load"

    def load(self, server_side, side, *arguments):
        descriptors = min(12000, support.allowed_descriptors())
        with Server(kind("echo_server", server_side), descriptors=descriptors) as server:
            ended = Ended("load", side, "--port", str(server.address[1]), *arguments)
            self.assertEqual((ended.status, ended.err), (0, ""))
            return ended.out

    def run_side(self, side, connections=1000):
        support.need_descriptors(self, 12000)
        out = self.load(side, side, "-c", str(connections), "-s", "100")
        messages = 3 * connections
        self.assertTrue(out.startswith(
            f"{connections} of {connections} connections, {connections} at once\n"
            f"{messages} of {messages} messages came back, 0 wrong, 0 lost\n"
            f"{100 * messages} bytes in "))
        return out

    def c_runs(self):
        self.run_side("c", 10000)

    def transcript(self, out):
        return without_times(out)

    def crossed(self):
        for side, other in (SIDES, SIDES[::-1]):
            self.load(side, other, "-c", "200", "-m", "5", "-s", "20000")


class ChatRoom:
    """A chat server and the sockets of those in the room."""

    def __init__(self, test, side, *arguments):
        self.server = Server(kind("chat_server", side), *arguments)
        test.addCleanup(self.server.close)
        self.test = test
        self.open = []

    def enter(self, **options):
        sock = self.server.connect(**options)
        file = sock.makefile("rb")
        self.open += [file, sock]
        self.test.addCleanup(self.empty)
        return sock, file

    def empty(self):
        while self.open:
            self.open.pop().close()

    def stop(self):
        """Its exit code, once nobody is in it."""
        self.empty()
        return self.server.stop()


REPLACED = "\ufffd".encode()
HOSTILE = {
    b"nul \0 nul": b"nul ? nul",
    b"\x1b[2J\x1b]0;title\x07": b"?[2J?]0;title?",
    b"tab\tand \x7f": b"tab and ?",
    b"\xff\xc3(\xe2\x82\xf0\x80\x80\x80": REPLACED * 2 + b"(" + REPLACED * 6,
    b"\xed\xa0\x80": REPLACED * 3,
    "C1 \x9b, turned \u202e, gr\u00fc\u00df \U0001f600".encode():
        "C1 ?, turned ?, gr\u00fc\u00df \U0001f600".encode(),
}


@lesson(11)
class Chat(LessonTests):
    program = "chat_server"

    def run_side(self, side):
        room = ChatRoom(self, side)
        ann, ann_hears = room.enter()
        heard = [ann_hears.readline()]
        bob, bob_hears = room.enter()
        heard += [bob_hears.readline(), ann_hears.readline()]
        ann.sendall(b"/nick ann\n")
        heard += [ann_hears.readline(), bob_hears.readline()]
        for name in (b"ann", b"a b", b"", b"x" * 21, b"a\0b"):
            bob.sendall(b"/nick " + name + b"\n")
            heard.append(bob_hears.readline())
        for part in (b"he", b"llo\r\ntw", b"o lines\n\n", b"x" * 1024 + b"\n"):
            bob.sendall(part)
        heard += [ann_hears.readline() for _ in range(3)]
        bob.sendall(b"x" * 1025 + b"\n")
        heard.append(bob_hears.readline())
        for line in HOSTILE:
            bob.sendall(line + b"\n")
            heard.append(ann_hears.readline())
        bob.sendall(b"exit\nnot heard\n")
        heard += [bob_hears.read(), ann_hears.readline()]
        ann.sendall(b"last words")
        ann.shutdown(socket.SHUT_WR)
        heard.append(ann_hears.read())
        room.empty()
        _, cat_hears = room.enter()
        heard.append(cat_hears.readline())
        room.server.send_signal(signal.SIGTERM)
        heard.append(cat_hears.read())
        room.empty()
        self.assertEqual((room.server.wait(), room.server.errors()), (0, ""))
        hostile = [b"guest2: " + line + b"\n" for line in HOSTILE.values()]
        self.assertEqual([line for line in heard if line in hostile], hostile)
        self.assertEqual(heard[-1], b"* the server stops\n")
        return heard

    def client_talk(self, server_side, client_side):
        """One listens with a pipe for its keyboard, one talks from a file."""
        room = ChatRoom(self, server_side)
        port = str(room.server.address[1])
        listener = kind("chat_client", client_side)
        process = subprocess.Popen(
            listener.command("--port", port, "--name", "ann"), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=listener.environment())
        try:
            heard = [process.stdout.readline() for _ in range(2)]
            with tempfile.NamedTemporaryFile() as file:
                file.write(b"".join(b"line %d\n" % i for i in range(500)) + b"exit\n")
                file.flush()
                talker = kind("chat_client", client_side)
                with open(file.name) as keyboard:
                    done = subprocess.run(
                        talker.command("--port", port, "--name", "bob"), stdin=keyboard,
                        env=talker.environment(), capture_output=True,
                        timeout=support.PATIENCE)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            heard += [process.stdout.readline() for _ in range(503)]
            process.stdin.close()
            heard.append(process.stdout.read())
            self.assertEqual(process.wait(support.PATIENCE), 0)
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
        self.assertEqual(heard[4:504], [b"bob: line %d\n" % i for i in range(500)])
        self.assertEqual(heard[504:], [b"* bob has left\n", b""])
        self.assertEqual(room.server.stop(), 0)
        return heard, done.stdout

    def c_runs(self):
        self.run_side("c")
        self.client_talk("c", "c")

    def twin_runs(self):
        self.run_side("twin")
        self.client_talk("twin", "twin")

    def crossed(self):
        self.assertEqual(self.client_talk("c", "twin"), self.client_talk("twin", "c"))


# Where the program is instrumented, its memory is the instrument's too.
MOST_MEMORY = 64 << 20 if INSTRUMENTED else 4 << 20


class HostileChat(unittest.TestCase):
    def both(self, test):
        for side in SIDES:
            with self.subTest(side=side):
                test(ChatRoom(self, side))

    def pair(self, room):
        sock, hears = room.enter()
        hears.readline()
        other, other_hears = room.enter()
        other_hears.readline()
        hears.readline()
        return sock, hears, other, other_hears

    def test_ten_mebibytes_without_a_newline(self):
        def test(room):
            loud, loud_hears, _, hears = self.pair(room)
            memory = room.server.memory()
            for _ in range(10):
                loud.sendall(b"x" * (1 << 20))
            loud.sendall(b"\nshort\n")
            self.assertIn(b"1024 bytes at most", loud_hears.readline())
            self.assertEqual(hears.readline(), b"guest1: short\n")
            self.assertLess(room.server.memory() - memory, MOST_MEMORY)
            self.assertEqual(room.stop(), 0)
        self.both(test)

    def test_one_that_never_reads_is_skipped_and_harms_nobody(self):
        def test(room):
            talker, _, _, hears = self.pair(room)
            _, idle_hears = room.enter(receive_buffer=4096)
            hears.readline()
            memory, lines = room.server.memory(), 0
            text = b"y" * 900
            for _ in range(100):
                said = [b"%d %s\n" % (lines + i, text) for i in range(60)]
                talker.sendall(b"".join(said))
                for line in said:
                    self.assertEqual(hears.readline(), b"guest1: " + line)
                lines += 60
            self.assertLess(room.server.memory() - memory, MOST_MEMORY)
            self.assertEqual(idle_hears.readline()[:9], b"* welcome")
            got = 0  # what it reads at last is in order, and says how many are missing
            while (line := idle_hears.readline()).startswith(b"guest1: "):
                self.assertEqual(line, b"guest1: %d %s\n" % (got, text))
                got += 1
            skipped = int(re.fullmatch(rb"\* you read too slowly: (\d+) lines skipped\n",
                                       line)[1])
            self.assertEqual(got + skipped, lines)
            talker.sendall(b"again\n")
            self.assertEqual(idle_hears.readline(), b"guest1: again\n")
            self.assertEqual(room.stop(), 0)
        self.both(test)

    def test_random_bytes_are_cleaned_alike(self):
        seed = int(os.environ.get("TEST_SEED", random.randrange(1 << 32)))
        print(f"TEST_SEED={seed}", file=sys.stderr)
        heard = {}
        for side in SIDES:
            numbers = random.Random(seed)
            room = ChatRoom(self, side)
            loud, _, _, hears = self.pair(room)
            for _ in range(200):
                line = numbers.randbytes(numbers.randrange(60)).replace(b"\n", b"")
                loud.sendall(b"." + line + b"\n")
            loud.sendall(b"/nick end\n")
            heard[side] = []
            while (line := hears.readline()) != b"* guest1 is now end\n":
                heard[side].append(line)
                self.assertFalse(re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", line))
                line.decode()
            self.assertEqual(room.stop(), 0)
        self.assertEqual(len(heard["c"]), 200)
        self.assertEqual(heard["c"], heard["twin"])

    def test_a_client_shows_no_escapes(self):
        for side in SIDES:
            with self.subTest(side=side), socket.create_server(("127.0.0.1", 0)) as evil:
                one = kind("chat_client", side)
                process = subprocess.Popen(
                    one.command("--port", str(evil.getsockname()[1])),
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=one.environment())
                sock, _ = evil.accept()
                with sock:
                    sock.sendall(b"\x1b[31mred\n" + b"x" * 100000 + b"\nend\n")
                out, _ = process.communicate(b"", support.PATIENCE)
                self.assertEqual(process.returncode, 0)
                self.assertEqual(out.splitlines()[0], b"?[31mred")
                self.assertEqual(out.splitlines()[-1], b"end")
                self.assertLess(len(out), 10000)

    def test_many_that_come_and_go(self):
        def test(room):
            before = room.server.descriptors()
            for _ in range(200):
                room.server.connect().close()
            self.assertTrue(eventually(lambda: room.server.descriptors() == before))
            self.assertEqual(room.stop(), 0)
        self.both(test)

    def test_one_that_does_not_hang_up_delays_the_end_for_seconds_only(self):
        def test(room):
            room.enter()[1].readline()
            self.assertEqual(room.server.stop(), 0)
        self.both(test)


class BadEcho:
    """An echo server on threads that does something wrong to each connection."""

    def __init__(self, spoil):
        self.spoil = spoil
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = str(self.listener.getsockname()[1])
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError), closing_all() as socks:
            while True:
                sock, _ = self.listener.accept()
                socks.append(sock)
                sock.settimeout(support.PATIENCE)
                data = read_exactly(sock, 64)
                sock.sendall(self.spoil(data))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


class LoadFinds(unittest.TestCase):
    def result(self, side, spoil, *arguments):
        with BadEcho(spoil) as server:
            ended = Ended("load", side, "-p", server.port, "-c", "1", "-m", "1",
                          "--timeout", "0.5", "--json", "-", *arguments)
        self.assertEqual(ended.status, 1)
        self.assertIn("load", ended.err)
        return json.loads(ended.out)

    def assert_found(self, spoil, wrong, lost):
        for side in SIDES:
            with self.subTest(side=side):
                result = self.result(side, spoil)
                self.assertEqual((result["came_back"], result["wrong"], result["lost"]),
                                 (0, wrong, lost))

    def test_a_flipped_bit(self):
        def flip(data):
            return data[:40] + bytes([data[40] ^ 1]) + data[41:]
        self.assert_found(flip, 1, 0)

    def test_a_lost_byte(self):
        self.assert_found(lambda data: data[:-1], 0, 1)

    def test_a_lost_byte_in_the_middle(self):
        self.assert_found(lambda data: data[:30] + data[31:], 1, 0)

    def test_an_extra_byte(self):
        self.assert_found(lambda data: data + b"0", 1, 0)

    def test_bytes_of_another(self):
        self.assert_found(lambda data: data.replace(b"0.0 ", b"1.0 "), 1, 0)

    def test_a_silent_server(self):
        self.assert_found(lambda data: b"", 0, 1)

    def test_a_refused_connection(self):
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            for side in SIDES:
                ended = Ended("load", side, "-p", str(sock.getsockname()[1]), "-c", "5")
                self.assertEqual(ended.status, 1)
                self.assertIn("Connection refused", ended.err)
                self.assertEqual(len(ended.err.splitlines()), 1)
                self.assertIn("0 of 5 connections", ended.out)

    def test_limits_are_told_before_it_starts(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard == resource.RLIM_INFINITY or hard >= 1000000:
            self.skipTest("there is no limit to meet")
        for side in SIDES:
            ended = Ended("load", side, "-c", "1000000")
            self.assertEqual((ended.status, ended.out), (1, ""))
            self.assertRegex(ended.err, rf"\Aload(\.py)?: .*hard limit is {hard}.*\n\Z")

    def test_json_and_percentiles_agree(self):
        with Server(kind("echo_server", "c")) as server, \
                tempfile.TemporaryDirectory() as directory:
            for side in SIDES:
                path = os.path.join(directory, side)
                ended = Ended("load", side, "-p", str(server.address[1]), "-c", "50",
                              "--json", path, "--histogram")
                self.assertEqual((ended.status, ended.err), (0, ""))
                with open(path) as file:
                    result = json.load(file)
                self.assertEqual((result["came_back"], result["lost"]), (150, 0))
                latency = result["latency_ms"]
                self.assertLessEqual(latency["50"], latency["99"])
                self.assertLessEqual(latency["99"], latency["100"])
                most, total = re.search(r"#\[Max +=\s+([\d.]+), Total count +=\s+(\d+)\]",
                                        ended.out).groups()
                self.assertAlmostEqual(float(most), latency["100"], delta=0.001)
                self.assertEqual(int(total), 150)
                rows = re.findall(r"^ +([\d.]+) ([\d.]+) +(\d+)", ended.out, re.MULTILINE)
                self.assertEqual(rows, sorted(rows, key=lambda row: int(row[2])))
                self.assertEqual(rows[-1][1:], ("1.000000000000", "150"))

    def test_the_histogram_is_better_than_one_percent(self):
        sys.path.insert(0, str(TWINS))
        try:
            from histogram import Histogram
        finally:
            sys.path.remove(str(TWINS))
        numbers = random.Random(4)
        values = sorted(int(10 ** numbers.uniform(0, 10)) for _ in range(5000))
        histogram = Histogram()
        for value in values:
            histogram.add(value)
        for percent in (1, 10, 50, 90, 99, 99.9, 100):
            exact = values[max(1, -(-int(percent * 5000) // 100)) - 1]
            self.assertLessEqual(abs(histogram.percentile(percent) - exact), exact * 0.01)

    def test_an_interrupt_ends_it(self):
        with BadEcho(lambda data: b"") as server:
            for side in SIDES:
                one = kind("load", side)
                process = subprocess.Popen(
                    one.command("-p", server.port, "-c", "1"), stderr=subprocess.PIPE,
                    stdout=subprocess.PIPE, env=one.environment())
                try:
                    self.assertTrue(eventually(lambda: has_handlers(process.pid)))
                    process.send_signal(signal.SIGINT)
                    out, _ = process.communicate(timeout=support.PATIENCE)
                finally:
                    process.kill()
                    process.wait()
                self.assertEqual(process.returncode, 1)
                self.assertIn(b"0 of 3 messages came back, 0 wrong, 3 lost", out)

    def on_terminal(self, side, port, **environment):
        """What it shows on a terminal."""
        one = kind("load", side)
        ours, theirs = pty.openpty()
        with open(ours, "rb", buffering=0) as terminal:
            process = subprocess.Popen(
                one.command("-p", port, "-c", "30", "-r", "100"), stderr=theirs,
                stdout=subprocess.DEVNULL, env={**one.environment(), **environment})
            os.close(theirs)
            shown = b""
            with contextlib.suppress(OSError):  # its end
                while data := terminal.read(4096):
                    shown += data
            self.assertEqual(process.wait(support.PATIENCE), 0)
        return shown

    def test_progress_is_for_terminals(self):
        with Server(kind("echo_server", "c")) as server:
            for side in SIDES:
                shown = self.on_terminal(side, str(server.address[1]), NO_COLOR="1")
                self.assertIn(b"of 30 connected", shown)
                self.assertNotIn(b"\x1b[31m", shown)
                self.assertTrue(shown.endswith(b"\r\x1b[K"))


def has_handlers(pid):
    """SIGTERM is the last that the programs here make a handler for."""
    with open(f"/proc/{pid}/status") as file:
        caught = int(re.search(r"SigCgt:\s*(\w+)", file.read())[1], 16)
    return caught >> (signal.SIGTERM - 1) & 1


class Interrupted(unittest.TestCase):
    def test_a_pool_ends_with_its_workers(self):
        for side in SIDES:
            for signum in (signal.SIGINT, signal.SIGTERM):
                one = kind("pool", side)
                process = subprocess.Popen(
                    one.command("--seconds", "60"), stderr=subprocess.PIPE,
                    stdout=subprocess.PIPE, env=one.environment(), start_new_session=True)
                try:
                    self.assertTrue(eventually(
                        lambda: has_handlers(process.pid)
                        and len(session_members(process.pid)) == 6))
                    process.send_signal(signum)
                    out, _ = process.communicate(timeout=support.PATIENCE)
                finally:
                    process.kill()
                    process.wait()
                self.assertEqual(process.returncode, 1)
                self.assertIn(b"lost with its worker", out)
                self.assertTrue(eventually(lambda: not session_members(process.pid)))


WRONG = {
    "between_processes": [],
    "chat_client": [["--port", "0"], ["--port", "x"], ["--name"]],
    "chat_server": [["--port", "65536"], ["--backlog", "0"], ["--timeout", "1"]],
    "how_many": [["--most", "9"], ["--waits", "0"], ["-m", "1e3"]],
    "load": [["--connections", "0"], ["--messages", "-1"], ["--size", ""],
             ["--ramp", "x"], ["--port", "0"], ["--timeout", "nan"], ["--json"]],
    "pool": [["--workers", "65"], ["--tasks", "0"], ["--seconds", "0"]],
    "processes": [["--count", "0"], ["--count", "101"]],
    "selector_key": [],
    "shared_memory": [],
    "server_models": [["--model", "x"], ["--port", "-1"], ["--measure=yes"]],
    "three_tasks": [["--unit", "0"], ["-u", "-1"]],
}


class CommandLines(unittest.TestCase):
    def test_wrong_options(self):
        for program, wrong in WRONG.items():
            for arguments in wrong + [["--nonsense"], ["-x"], ["word"]]:
                for side in SIDES:
                    with self.subTest(program=program, side=side, arguments=arguments):
                        ended = Ended(program, side, *arguments)
                        self.assertEqual((ended.status, ended.out), (2, ""))
                        self.assertRegex(ended.err, rf"\A{program}(\.py)?: [^\n]+\n\Z")

    def test_help_and_version(self):
        for program in WRONG:
            helps = {}
            for side in SIDES:
                with self.subTest(program=program, side=side):
                    for option in ("--help", "-h"):
                        ended = Ended(program, side, option)
                        self.assertEqual((ended.status, ended.err), (0, ""))
                        self.assertRegex(ended.out, rf"\AUsage: {program}(\.py)? ")
                    helps[side] = ended.out.replace(".py", "")
                    ended = Ended(program, side, "--version")
                    self.assertEqual((ended.status, ended.err), (0, ""))
                    self.assertRegex(
                        ended.out,
                        rf"\A{program}(\.py)?, (selkie|Python) \d+\.\d+\.\d+\n\Z")
            self.assertEqual(helps["c"], helps["twin"])


if __name__ == "__main__":
    support.main()
