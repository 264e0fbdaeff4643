# SPDX-License-Identifier: MIT
"""Lessons 1 to 7, 9, 12, 13, 16 and 21 and the claims: each C program and its twin in Python.

Run as support.py says.  For every lesson NN there are test_NN_c_runs, test_NN_twin_runs,
test_NN_same_transcript (the same black box hears the same of both) and test_NN_crossed
(server and client of different languages); lessons.py makes a table of them.
"""
import os
import re
import signal
import socket
import subprocess
import time
import unittest
from pathlib import Path

import support
from support import Kind, Server, ask, read_to_end
from test_transcripts import SCRIPTS, Player


def both(program):
    """The C program and its twin."""
    return Kind(program, program), Kind(f"{program}_twin", f"{program}.py")


ONE_CLIENT = both("one_client_server")
LINE_CLIENT = both("line_client")
TEN_CLIENTS = both("ten_clients")
ECHOES = {2: both("select_loop"), 4: both("poll_loop"), 5: both("epoll_loop"),
          7: both("echo_server")}
CLIENTS = [*LINE_CLIENT, *TEN_CLIENTS]
PROGRAMS = {"06": both("level_edge"), "09": both("select_call"), "12": both("sockets"),
            "12 options": both("socket_options"),
            "13": both("io_models"), "16": both("event_queue"),
            "21": both("coroutines"), "claims": both("claims")}
EVENTS = b"double 1 2\nkey a\nclick 30 -4\n"
DELAY_MS = 50  # what the peer of io_models takes to answer


def session_members(leader):
    """The processes of a session."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            yield int(entry.parent.name)


class Ended:
    """A program that has run to its end, in a session of its own."""

    def __init__(self, kind, *arguments, given=b""):
        process = subprocess.Popen(
            kind.command(*arguments), env=kind.environment(), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        try:
            self.output, errors = process.communicate(given, support.PATIENCE)
        finally:
            self.left = list(session_members(process.pid))
            for pid in self.left:
                os.kill(pid, signal.SIGKILL)
            process.wait()
        self.status = process.returncode
        self.errors = errors.decode()


class LessonTests(unittest.TestCase):
    def run_program(self, kind, *arguments, given=b""):
        """What it prints; it must succeed, say nothing else and leave nothing running."""
        ended = Ended(kind, *arguments, given=given)
        self.assertEqual((ended.errors, ended.status, ended.left), ("", 0, []))
        return ended.output

    def run_client(self, kind, server, given=b""):
        host, port = server.address
        return self.run_program(kind, "--host", host, "--port", str(port), given=given)

    def assert_stops(self, server):
        """What it has said; it must still be there and end when it is told to."""
        self.assertIsNone(server.process.poll())
        self.assertEqual(server.stop(), 0)
        return server.errors()


def notes_of(errors):
    """What a server noted, without its name and the descriptors' numbers."""
    return [re.sub(r"^\S+: (\d+: )?", "", line) for line in errors.splitlines()]


class OneClientAtATime(LessonTests):
    """One client at a time."""

    def assert_says_good_bye(self, kind):
        with Server(kind) as server:
            for line in (b"hello\n", b"x" * 1024, b"\0\xff\n"):
                with server.connect() as sock:
                    sock.sendall(line)
                    self.assertEqual(read_to_end(sock),
                                     b"received %d bytes, good bye\n" % len(line))
            with server.connect() as sock:  # half a line is no message
                sock.sendall(b"in ")
                sock.settimeout(0.2)
                self.assertRaises(TimeoutError, sock.recv, 1)
                sock.settimeout(support.PATIENCE)
                sock.sendall(b"parts\n")
                self.assertEqual(read_to_end(sock), b"received 9 bytes, good bye\n")
            with server.connect() as sock:  # no line, only an end
                sock.shutdown(socket.SHUT_WR)
                self.assertEqual(read_to_end(sock), b"received 0 bytes, good bye\n")
            with server.connect() as sock:  # more than the line: the answer is not lost
                sock.sendall(b"line\n" + b"and more " * 5000)
                sock.shutdown(socket.SHUT_WR)
                self.assertRegex(read_to_end(sock),
                                 rb"\Areceived \d+ bytes, good bye\n\Z")

    def assert_one_at_a_time(self, kind):
        with Server(kind) as server:
            first, second = server.connect(), server.connect()
            with first, second:
                second.sendall(b"second\n")
                second.settimeout(0.2)
                self.assertRaises(TimeoutError, second.recv, 1)
                first.sendall(b"first\n")
                self.assertEqual(read_to_end(first), b"received 6 bytes, good bye\n")
                first.close()
                second.settimeout(support.PATIENCE)
                self.assertEqual(read_to_end(second), b"received 7 bytes, good bye\n")

    def assert_survives_resets(self, kind):
        with Server(kind) as server:
            before = server.descriptors()
            for sent in (b"", b"half a li", b"line\n", b"line\nand more"):
                sock = server.connect()
                sock.sendall(sent)
                support.reset(sock)
            with server.connect() as sock:
                sock.sendall(b"hello\n")
                self.assertEqual(read_to_end(sock), b"received 6 bytes, good bye\n")
            self.assertTrue(support.eventually(lambda: server.descriptors() == before))

    def assert_client_runs(self, kind):
        with Server(ECHOES[7][0]) as echo:
            self.assertEqual(self.run_client(kind, echo, b"one\ntwo\nthree"),
                             b"one\ntwo\nthree\nno more lines\n")
            self.assertEqual(self.run_client(kind, echo, b"a good bye\nnot sent\n"),
                             b"a good bye\nthe server said good bye\n")
            long = b"x" * 5000 + b"\n"
            self.assertEqual(self.run_client(kind, echo, long), long + b"no more lines\n")
            self.assertEqual(self.run_client(kind, echo), b"no more lines\n")
            self.assertEqual(self.run_client(kind, echo, b"\0\xff\n"),
                             b"\0\xff\nno more lines\n")

    def assert_client_sees_the_end(self, kind):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            process = subprocess.Popen(
                kind.command("--port", str(port)), env=kind.environment(),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            conn = listener.accept()[0]
            support.reset(conn)
            output = process.communicate(b"anybody?\n" * 3, support.PATIENCE)[0]
            self.assertEqual((output, process.returncode), (b"the server has gone\n", 0))

    def assert_runs(self, server, client):
        self.assert_says_good_bye(server)
        self.assert_one_at_a_time(server)
        self.assert_survives_resets(server)
        self.assert_client_runs(client)
        self.assert_client_sees_the_end(client)

    def test_01_c_runs(self):
        self.assert_runs(ONE_CLIENT[0], LINE_CLIENT[0])

    def test_01_twin_runs(self):
        self.assert_runs(ONE_CLIENT[1], LINE_CLIENT[1])

    def transcript(self, server, client):
        """What the client prints, and the server."""
        with Server(server, "--verbose") as running:
            output = self.run_client(client, running, b"good morning\nnot sent\n")
            self.assertTrue(support.eventually(
                lambda: running.errors().endswith("closed\n")))
            said = running.errors().replace(f"{server.program}: ", "")
        return output.decode(), said

    EXPECTED = ("received 13 bytes, good bye\nthe server said good bye\n",
                "connected\nreceived 13 bytes\nclosed\n")

    def test_01_same_transcript(self):
        for server, client in zip(ONE_CLIENT, LINE_CLIENT):
            self.assertEqual(self.transcript(server, client), self.EXPECTED)

    def test_01_crossed(self):
        for server, client in zip(ONE_CLIENT, reversed(LINE_CLIENT)):
            self.assertEqual(self.transcript(server, client), self.EXPECTED)

    def test_a_prompt_only_on_a_terminal(self):
        for kind in LINE_CLIENT:
            with Server(ECHOES[7][0]) as echo:
                keyboard, terminal = os.openpty()
                process = subprocess.Popen(
                    kind.command("--port", str(echo.address[1])), env=kind.environment(),
                    stdin=terminal, stdout=subprocess.PIPE)
                os.close(terminal)
                os.write(keyboard, b"typed\n\x04")
                output = process.communicate(timeout=support.PATIENCE)[0]
                os.close(keyboard)
                self.assertEqual(output, b"message: typed\nmessage: no more lines\n")


def ten_clients_transcript():
    lines = []
    for i, part in enumerate(["This is the message,", "it comes", "in parts,"]):
        for what in ("sending", "received"):
            lines += [f"client {c}: {what} '{part} version {i * 10 + c}'"
                      for c in range(1, 11)]
    return "\n".join([*lines, "10 clients, 30 echoes", ""]).encode()


class OneByteServer:
    """Echoes ten clients, a byte at a time, or hangs up on them after `size` bytes."""

    def __init__(self, size=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.size = size

    def serve(self, process):
        socks = []
        self.listener.settimeout(support.PATIENCE)
        with self.listener, support.closing_all() as socks:
            while len(socks) < 10:
                socks.append(self.listener.accept()[0])
                socks[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.size is not None:
                socks[0].recv(1000)
                socks[0].sendall(b"x" * self.size)
                return
            while process.poll() is None:
                for sock in list(socks):
                    sock.settimeout(0.002)
                    try:
                        data = sock.recv(1)
                    except TimeoutError:
                        continue
                    except ConnectionResetError:
                        return
                    sock.settimeout(support.PATIENCE)
                    if not data:
                        return
                    sock.sendall(data)


class TenClients(LessonTests):
    """Ten clients at once."""

    def assert_runs(self, kind):
        with Server(ECHOES[7][0], "--verbose") as server:
            self.assertEqual(self.run_client(kind, server), ten_clients_transcript())
            self.assertEqual(self.assert_stops(server).count("accepted"), 10)

    def run_against(self, kind, server):
        process = subprocess.Popen(
            kind.command("--port", str(server.address[1])), env=kind.environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        server.serve(process)
        output, errors = process.communicate(timeout=support.PATIENCE)
        return process.returncode, output, errors.decode()

    def assert_joins_the_pieces(self, kind):
        """An echo that comes byte by byte."""
        self.assertEqual(self.run_against(kind, OneByteServer()),
                         (0, ten_clients_transcript(), ""))

    def assert_sees_a_wrong_echo(self, kind):
        status, _, errors = self.run_against(kind, OneByteServer(size=1000))
        self.assertEqual((status, errors),
                         (1, f"{kind.program}: client 1 has a wrong echo of 30 bytes\n"))
        status, _, errors = self.run_against(kind, OneByteServer(size=3))
        self.assertEqual((status, errors),
                         (1, f"{kind.program}: client 1 has a wrong echo of 3 bytes\n"))

    def test_03_c_runs(self):
        self.assert_runs(TEN_CLIENTS[0])
        self.assert_joins_the_pieces(TEN_CLIENTS[0])
        self.assert_sees_a_wrong_echo(TEN_CLIENTS[0])

    def test_03_twin_runs(self):
        self.assert_runs(TEN_CLIENTS[1])
        self.assert_joins_the_pieces(TEN_CLIENTS[1])
        self.assert_sees_a_wrong_echo(TEN_CLIENTS[1])

    def test_03_same_transcript(self):
        with Server(ECHOES[7][0]) as server:
            outputs = [self.run_client(kind, server) for kind in TEN_CLIENTS]
        self.assertEqual(outputs[0], outputs[1])

    def test_03_crossed(self):
        for server, client in zip(ECHOES[7], reversed(TEN_CLIENTS)):
            with Server(server) as running:
                self.assertEqual(self.run_client(client, running),
                                 ten_clients_transcript())


class EchoLesson(LessonTests):
    """The loops: each plays the scripts and serves the ten clients."""

    row = None
    has_timeout = True

    def assert_runs(self, kind):
        self.assert_echoes(kind)
        self.assert_a_slow_reader_gets_all(kind)
        if self.has_timeout:
            self.assert_timeout_ends_it(kind)

    def assert_echoes(self, kind):
        with Server(kind) as server:
            before = server.descriptors()
            player = Player(server)
            for name, (script, expected) in SCRIPTS.items():
                with self.subTest(script=name):
                    self.assertEqual(player.play(script), expected)
            self.assertTrue(support.eventually(lambda: server.descriptors() == before))
            self.assertEqual(self.assert_stops(server), "")

    def notes(self, kind):
        """What it notes of a client that asks twice and ends."""
        with Server(kind, "--verbose") as server:
            with server.connect() as sock:
                self.assertEqual(ask(sock, b"hello"), b"hello")
                self.assertEqual(ask(sock, b"good bye"), b"good bye")
                sock.shutdown(socket.SHUT_WR)
                self.assertEqual(sock.recv(1), b"")
            return notes_of(self.assert_stops(server))

    def assert_same_notes(self, *kinds):
        first, second = (self.notes(kind) for kind in kinds)
        self.assertIn("accepted", first)
        self.assertEqual(first, second)

    def assert_same_transcript(self, *kinds):
        transcripts = []
        for kind in kinds:
            with Server(kind) as server:
                player = Player(server)
                transcripts.append(
                    [player.play(script) for script, _ in SCRIPTS.values()])
        self.assertEqual(*transcripts)
        self.assert_same_notes(*kinds)

    def assert_crossed(self, *kinds):
        for kind, client in zip(kinds, reversed(TEN_CLIENTS)):
            with Server(kind) as server:
                self.assertEqual(self.run_client(client, server),
                                 ten_clients_transcript())
                self.assertEqual(self.assert_stops(server), "")

    def assert_a_slow_reader_gets_all(self, kind):
        """A client that reads late: it is not read from for a while, nothing is lost.

        The kernel may keep tcp_rmem's most for the server and tcp_wmem's for the client.
        """
        data = os.urandom(1 << 20) * 48
        with Server(kind) as server, server.connect(receive_buffer=4096) as sock:
            sent = support.fill([sock], data)[0]
            self.assertLess(sent, len(data))
            with server.connect() as other:
                self.assertEqual(ask(other, b"hello"), b"hello")
            sock.shutdown(socket.SHUT_WR)
            self.assertTrue(read_to_end(sock) == data[:sent])

    def assert_timeout_ends_it(self, kind):
        start = time.monotonic()
        output = self.run_program(kind, "--port", "0", "--timeout", "0.2")
        self.assertGreaterEqual(time.monotonic() - start, 0.2)
        self.assertEqual(output.splitlines()[-1], b"timed out")


def echo_lesson(cls):
    """Give a class the tests that are named after its row."""
    row, kinds = f"{cls.row:02}", ECHOES[cls.row]
    setattr(cls, f"test_{row}_c_runs", lambda self: self.assert_runs(kinds[0]))
    setattr(cls, f"test_{row}_twin_runs", lambda self: self.assert_runs(kinds[1]))
    setattr(cls, f"test_{row}_same_transcript",
            lambda self: self.assert_same_transcript(*kinds))
    setattr(cls, f"test_{row}_crossed", lambda self: self.assert_crossed(*kinds))
    return cls


@echo_lesson
class SelectLoop(EchoLesson):
    row = 2


@echo_lesson
class PollLoop(EchoLesson):
    row = 4


@echo_lesson
class EpollLoop(EchoLesson):
    row = 5


@echo_lesson
class Reactor(EchoLesson):
    row = 7
    has_timeout = False


class LoopNotes(LessonTests):
    def said(self, kind):
        with Server(kind, "--verbose") as server:
            with server.connect() as sock:
                self.assertEqual(ask(sock, b"hello"), b"hello")
                sock.shutdown(socket.SHUT_WR)
                self.assertEqual(sock.recv(1), b"")
            return notes_of(self.assert_stops(server))

    def test_interest_follows_the_queue(self):
        """WRITE is asked for while something is queued and not a moment longer."""
        for row, prefix in ((4, "POLL"), (5, "EPOLL")):
            for kind in ECHOES[row]:
                with self.subTest(kind=kind.name):
                    self.assertEqual(self.said(kind), [
                        f"listener: {prefix}IN", "accepted",
                        f"client: {prefix}IN", "received 5 bytes",
                        f"client: {prefix}OUT", "sent 5 bytes",
                        f"client: {prefix}IN", "closed"])

    def test_an_idle_loop_sleeps(self):
        for row in (4, 5):
            for kind in ECHOES[row]:
                with self.subTest(kind=kind.name), Server(kind) as server, \
                        server.connect() as sock:
                    self.assertEqual(ask(sock, b"hello"), b"hello")
                    before = server.cpu()
                    time.sleep(0.3)
                    self.assertLess(server.cpu() - before, 0.1)


class ProgramLesson(LessonTests):
    """The programs that try things: each prints what it found."""

    row = None
    programs = None  # which of PROGRAMS; None: its row
    given = b""
    expected = ()  # lines that it prints

    def lines(self, kind):
        support.need_descriptors(self, kind.program)
        return self.run_program(kind, given=self.given).decode().splitlines()

    def assert_runs(self, kind):
        lines = self.lines(kind)
        for line in self.expected:
            with self.subTest(line=line):
                self.assertIn(line, lines)

    def comparable(self, lines):
        return lines

    def assert_same_transcript(self):
        first, second = (self.comparable(self.lines(kind))
                         for kind in PROGRAMS[self.programs or self.row])
        self.assertEqual(first, second)


def program_lesson(cls):
    """Give a class the tests that are named after its row."""
    row, (c_program, twin) = cls.row, PROGRAMS[cls.programs or cls.row]
    setattr(cls, f"test_{row}_c_runs", lambda self: self.assert_runs(c_program))
    setattr(cls, f"test_{row}_twin_runs", lambda self: self.assert_runs(twin))
    setattr(cls, f"test_{row}_same_transcript",
            lambda self: self.assert_same_transcript())
    setattr(cls, f"test_{row}_crossed",
            lambda self: self.skipTest("n/a: it has no two sides"))
    return cls


@program_lesson
class LevelAgainstEdge(ProgramLesson):
    row = "06"

    def assert_runs(self, kind):
        text = "\n".join(self.lines(kind))
        sections = {part.partition("\n")[0]: re.findall(r": (told|not told)$", part, re.M)
                    for part in re.split(r"\n(?=\S)", text)}
        no, yes = "not told", "told"
        self.assertEqual(sections, {
            "level-triggered: a state": [yes, yes, yes, no],
            "edge-triggered: a change": [yes, no, no, yes],
            "what its reader must do": [no, yes],
            "poll(), as select(), knows no edges": [yes, yes],
            "a message lost: edge-triggered, but one read each time": [yes, no, yes, no],
            "a client lost: edge-triggered, but one accept each time": [yes, no],
            "writing, edge-triggered": [yes, no, no, yes],
            "ONESHOT: told once, then disarmed": [yes, no, no, yes],
        })
        for line in ("  4 bytes in 3 reads, the last: EAGAIN", "  add it again: EEXIST",
                     "  read: second", "  and yet the other was there: yes"):
            self.assertIn(line, text.splitlines())


def selected(what, readable="", writable="", exceptional=""):
    return (f"{what}: readable [{readable}] writable [{writable}] "
            f"exceptional [{exceptional}]")


@program_lesson
class SelectItself(ProgramLesson):
    row = "09"
    expected = [
        selected("some are ready", "pipe with data", "write end"),
        selected("twice in, twice out", "pipe with data, pipe with data"),
        selected("it is told again", "pipe with data"),
        selected("until it is read"),
        selected("the other end is closed", "quiet pipe"),
        selected("0 only looks"),
        selected("None waits until something is ready", "alarm pipe"),
        "signals: 1, it was early: no",
        "select(2) itself: EINTR",
        selected("an urgent byte", exceptional="connection"),
        selected("the client has gone", "connection"),
        "a negative number: ValueError",
        "a closed descriptor: OSError EBADF",
        "a descriptor of 1024 or more: ValueError",
        selected("a file without a byte to read", "empty file", "empty file"),
        selected("a directory and /dev/null", "directory, /dev/null", "/dev/null"),
    ]

    def assert_runs(self, kind):
        super().assert_runs(kind)
        self.assertEqual(self.lines(kind).count("it was early: no"), 2)


@program_lesson
class Sockets(ProgramLesson):
    row = "12"
    expected = [
        "  AF_UNIX SOCK_SEQPACKET: made",
        "  AF_INET SOCK_SEQPACKET: ESOCKTNOSUPPORT",
        "  SOCK_STREAM: sent one, two; the first recv(): onetwo",
        "  SOCK_DGRAM: sent one, two; the first recv(): one",
        "  getpeername() before connect(): ENOTCONN",
        "  the server's peer is the client's own name: yes",
        "  bind() to a port that is taken: EADDRINUSE",
        "  listen(2), nobody accepts: 3 connect, the next: EAGAIN",
        "  somebody listens: connect_ex() EINPROGRESS, then writable: yes, SO_ERROR 0",
        "  nobody listens: connect_ex() EINPROGRESS, then writable: yes, "
        "SO_ERROR ECONNREFUSED",
        "  send() of a mebibyte took something: yes, all: no",
        "  sendall() of another: 0, all of it came: yes",
        "  sendto() 5 bytes, recvfrom() 5, from the sender: yes",
        "  70000 bytes: EMSGSIZE",
    ]

    def test_raw_says_plainly_that_it_needs_a_right(self):
        """Without CAP_NET_RAW; who has it sees that it works."""
        for kind in PROGRAMS[self.row]:
            line, = (line for line in self.lines(kind) if "SOCK_RAW" in line)
            self.assertIn(line.partition(": ")[2], (
                "made, this process may", "EPERM, it needs CAP_NET_RAW"))


@program_lesson
class SocketOptions(ProgramLesson):
    row = "12"
    programs = "12 options"
    expected = [
        "  SO_REUSEADDR: 0, then 1",
        "  setblocking(False), recv(): EAGAIN",
        "  settimeout(0.1), recv(): timed out, it was early: no",
        "  second line",
        "  send() after the peer closed: EPIPE",
        "  recv() after it closed without reading: ECONNRESET",
        "  gaierror: EAI_NONAME",
    ]


@program_lesson
class FiveModels(ProgramLesson):
    row = "13"
    MODELS = ["blocking", "non-blocking", "multiplexing", "signal-driven", "asynchronous"]

    def assert_runs(self, kind):
        lines = self.lines(kind)
        self.assertEqual([line.partition(" (")[0] for line in lines if line[0] != " "],
                         [*self.MODELS, "the page cache"])
        text = "\n".join(lines).partition("the page cache")[0]
        for model, part in zip(self.MODELS, re.split(r"\n(?=\S)", text)):
            with self.subTest(model=model):
                times = re.findall(r"([0-9.]+) to +([0-9.]+) ms", part)
                self.assertEqual(float(times[0][0]), 0)
                # no model has the answer before it was sent; 0.1: times are rounded
                self.assertGreaterEqual(float(times[-1][1]), DELAY_MS - 0.1)
                self.assertIn(" 6 bytes", part)
                for count in re.findall(r"(\d+) (?:times|units)", part):
                    self.assertGreater(int(count), 0)

    def comparable(self, lines):
        """Times and how often something was done in them differ."""
        numbers = re.compile(r" +[0-9.]+(?= to| ms| times| units)")
        return [numbers.sub(" N", line) for line in lines]


@program_lesson
class EventQueue(ProgramLesson):
    row = "16"
    given = EVENTS
    HANDLED = ["  on_double_click: posts two clicks", "  on_key_down: a",
               "  on_click: at 30, -4", "  on_click: at 1, 2", "  on_click: at 1, 2",
               "  5 events"]

    def assert_runs(self, kind):
        self.assertEqual(self.lines(kind), [
            "a queue and a loop by hand", *self.HANDLED,
            "the reactor's call_soon", *self.HANDLED])
        self.assertEqual(self.run_program(kind).split(b"\n")[1], b"  0 events")
        many = b"key x\n" * 1000
        handled = self.run_program(kind, given=many)
        self.assertEqual(handled.count(b"on_key_down: x"), 2000)

    def test_no_such_event(self):
        for kind in PROGRAMS[self.row]:
            for line in (b"drag 1 2", b"click 1", b"click 1 2 3", b"key", b"", b"key ab",
                         b"click 12345", b"click 12345 6", b"click +5 6", b"click 5 6x"):
                with self.subTest(kind=kind.name, line=line):
                    ended = Ended(kind, given=EVENTS + line + b"\n")
                    self.assertEqual((ended.status, ended.output, ended.errors), (
                        1, b"", f"{kind.program}: no such event: '{line.decode()}'\n"))
            ended = Ended(kind, given=b"key x\n" * 1001)
            self.assertEqual((ended.status, ended.errors),
                             (1, f"{kind.program}: more than 1000 events\n"))


@program_lesson
class Coroutines(ProgramLesson):
    row = "21"
    SAID = ["1 hears: who is there?", "1 says: ann",
            "2 hears: who is there?", "2 says: bob",
            "2 hears: hello bob, where do you live?", "2 says: oslo",
            "2 hears: bob of oslo, good bye",
            "1 hears: hello ann, where do you live?", "1 says: rome",
            "1 hears: ann of rome, good bye"]

    def assert_runs(self, kind):
        self.assertEqual(self.lines(kind), self.SAID)

    def test_with_asyncio_it_is_the_same(self):
        self.assert_runs(Kind("asyncio", "coroutines_asyncio.py"))


@program_lesson
class Claims(ProgramLesson):
    row = "claims"
    expected = [
        "found: in /proc/self/maps are 0 maps of an epoll in use, "
        "and mmap() of one: ENODEV",
        "found: this kernel, as it is, takes a longer bitmap: "
        "select() of descriptor 1500 finds 1 ready",
        "found: 100 messages, one at a time, level-triggered: 100 waits, 100 reads",
        "found: the same edge-triggered: 100 waits, 200 reads, "
        "as each is read until EAGAIN",
        "found: here it is: 1 ready, POLLIN: yes (Windows' WSAPoll() was not tried)",
        "found: epoll_create(1) took 10 descriptors and told 10 events "
        "to a wait for up to 20",
        "found: it must only not be 0: EINVAL",
        "found: told 1, then 0; ADD: EEXIST, as it is still there",
        "found: MOD arms it again: told 1",
        "found: 2000 entries, more than FD_SETSIZE: 0",
        "found: 65 entries where the process may have 64 descriptors: EINVAL",
    ]

    def assert_runs(self, kind):
        super().assert_runs(kind)
        lines = self.lines(kind)
        self.assertEqual(sum(line.startswith("claim: ") for line in lines), 10)
        for line, following in zip(lines, lines[1:]):
            if line.startswith("claim: "):
                self.assertTrue(following.startswith("found: "), line)


class CommandLines(LessonTests):
    """Every program's --help and --version, and what it says of a wrong option."""

    def kinds(self):
        servers = [*ONE_CLIENT, *ECHOES[4], *ECHOES[5]]
        programs = [kind for pair in PROGRAMS.values() for kind in pair]
        return [*servers, *CLIENTS, *programs]

    def test_bad_options(self):
        for kind in self.kinds():
            for arguments in (["--nonsense"], ["-x"], ["--help=yes"]):
                with self.subTest(kind=kind.name, arguments=arguments):
                    ended = Ended(kind, *arguments)
                    self.assertEqual((ended.status, ended.output, ended.left),
                                     (2, b"", []))
                    self.assertRegex(ended.errors, rf"\A{kind.program}: [^\n]+\n\Z")

    def test_bad_ports(self):
        for kind in CLIENTS:
            for arguments in (["--port", "x"], ["-p", ""], ["--port", "65536"],
                              ["-p", "0"], ["--port"], ["word"]):
                with self.subTest(kind=kind.name, arguments=arguments):
                    ended = Ended(kind, *arguments)
                    self.assertEqual((ended.status, ended.output), (2, b""))
                    self.assertRegex(ended.errors, rf"\A{kind.program}: [^\n]+\n\Z")

    def test_help_and_version(self):
        for kind in self.kinds():
            with self.subTest(kind=kind.name):
                text = self.run_program(kind, "--help").decode()
                self.assertTrue(text.startswith(f"Usage: {kind.program} "), text)
                self.assertIn("--version", text)
                self.assertEqual(text, self.run_program(kind, "-h").decode())
                version = self.run_program(kind, "--version").decode()
                self.assertRegex(
                    version, rf"\A{kind.program}, (selkie|Python) \d+\.\d+\.\d+\n\Z")

    def test_help_is_the_same(self):
        """But for what the interpreter's lock, and its pace, leave to C."""
        only_in_c = re.compile(rb"^.* --(?:threads|status)\b.*\n(?: {10,}.*\n)*", re.MULTILINE)
        for kinds in (ONE_CLIENT, LINE_CLIENT, TEN_CLIENTS, *ECHOES.values(),
                      *PROGRAMS.values()):
            texts = [only_in_c.sub(b"", self.run_program(kind, "--help").replace(b".py", b""))
                     for kind in kinds]
            self.assertEqual(*texts)

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
        for kind in CLIENTS:
            with self.subTest(kind=kind.name):
                ended = Ended(kind, "--port", port)
                self.assertEqual((ended.status, ended.output, ended.errors), (
                    1, b"", f"{kind.program}: cannot connect to 127.0.0.1 port {port}: "
                            "Connection refused\n"))

    def test_a_closed_stdin(self):
        with Server(ECHOES[7][0]) as server:
            commands = [(kind, "--port", str(server.address[1])) for kind in LINE_CLIENT]
            commands += [(kind,) for kind in PROGRAMS["16"]]
            for kind, *arguments in commands:
                with self.subTest(kind=kind.name):
                    ended = subprocess.run(
                        kind.command(*arguments), env=kind.environment(),
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                        preexec_fn=lambda: os.close(0), timeout=support.PATIENCE)
                    self.assertEqual((ended.returncode, ended.stderr), (0, b""))
                    self.assertRegex(ended.stdout, rb"no more lines|  0 events")

    def test_a_full_disk(self):
        with Server(ECHOES[7][0]) as server, open("/dev/full", "w") as full:
            port = ["--port", str(server.address[1])]
            commands = [(kind, port) for kind in CLIENTS]
            commands += [(kind, []) for pair in PROGRAMS.values() for kind in pair]
            for kind, arguments in commands:
                with self.subTest(kind=kind.name):
                    support.need_descriptors(self, kind.program)
                    ended = subprocess.run(
                        kind.command(*arguments), stdout=full, env=kind.environment(),
                        input=EVENTS, stderr=subprocess.PIPE, timeout=support.PATIENCE)
                    self.assertEqual(ended.returncode, 1)
                    self.assertIn(b"No space left on device", ended.stderr)


if __name__ == "__main__":
    support.main()
