# SPDX-License-Identifier: MIT
"""SELKIE_TRACE and SELKIE_DEBUG on the C programs, which know nothing of them.

Run as support.py says.
"""
import collections
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import support
from support import BACKENDS, PATIENCE, Kind, Server, ask, closing_all, pump, reset

CLIENTS, MESSAGES = 50, 20
CALLED = {"callback", "task", "timer", "signal", "done"}

# What the program's own symbol table says; the dynamic linker does not know the names
# of static functions, and for those a trace has the file and the offset.
symbols = {}


def read_symbols(program):
    """Addresses and names of the functions of a program."""
    if program not in symbols and shutil.which("nm"):
        listing = subprocess.run(["nm", str(support.programs / program)], text=True,
                                 stdout=subprocess.PIPE, timeout=PATIENCE).stdout
        symbols[program] = {int(address, 16): name for address, name in re.findall(
            r"(?m)^([0-9a-f]+) [tT] (\w+)$", listing)}
    return symbols.get(program, {})


def name_of(program, traced):
    """A function's name, from a name or from program+0x123."""
    offset = re.fullmatch(rf"{program}\+0x([0-9a-f]+)", traced)
    if not offset:
        return traced
    return read_symbols(program).get(int(offset.group(1), 16), traced)


class WatchedKind(Kind):
    """A C program with variables of selkie's in its environment."""

    def __init__(self, program, backend, **watching):
        super().__init__(f"{program}_{backend}", program, backend)
        self.watching = watching

    def environment(self):
        return {**super().environment(), **self.watching}


class Event:
    """A complete event; times in whole nanoseconds, as they were measured."""

    def __init__(self, fields):
        self.category, self.name = fields["cat"], fields["name"]
        self.thread = fields["pid"], fields["tid"]
        self.start = round(fields["ts"] * 1000)
        self.end = self.start + round(fields["dur"] * 1000)
        self.fd = fields.get("args", {}).get("fd")


class TraceTests(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "t.json")

    def read_trace(self):
        """The events, after what every trace has to have."""
        with open(self.path) as file:
            fields = json.load(file)
        self.assertEqual([f["ph"] for f in fields[:1]], ["M"])
        self.assertEqual({f["ph"] for f in fields[1:]}, {"X"})
        events = [Event(f) for f in fields[1:]]
        self.assertLessEqual({e.category for e in events}, {"selkie", *CALLED})
        self.assertEqual({e.name for e in events if e.category == "selkie"},
                         {"sel_select", "sel_dispatch"})
        for thread in {e.thread for e in events}:
            self.assert_nested([e for e in events if e.thread == thread])
        return events

    def assert_nested(self, events):
        """Waits and dispatches take turns, and all that is called is called one after
        the other inside a dispatch.
        """
        outer = sorted((e for e in events if e.category == "selkie"),
                       key=lambda e: (e.start, e.end))
        for earlier, later in zip(outer, outer[1:]):
            self.assertLessEqual(earlier.end, later.start)
            self.assertNotEqual(earlier.name, later.name)
        dispatches = iter([e for e in outer if e.name == "sel_dispatch"])
        dispatch, before = next(dispatches, None), None
        for event in sorted((e for e in events if e.category != "selkie"),
                            key=lambda e: (e.start, e.end)):
            while dispatch is not None and dispatch.end < event.end:
                dispatch = next(dispatches, None)
            self.assertIsNotNone(dispatch, f"{event.name} was called outside a dispatch")
            self.assertGreaterEqual(event.start, dispatch.start)
            if before is not None:
                self.assertGreaterEqual(event.start, before.end)
            before = event

    def run_program(self, program, backend, *arguments):
        kind = WatchedKind(program, backend, SELKIE_TRACE=self.path)
        ended = subprocess.run(kind.command(*arguments), env=kind.environment(),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, timeout=PATIENCE)
        self.assertEqual((ended.returncode, ended.stderr), (0, b""))
        names = collections.Counter()
        for event in self.read_trace():
            names[event.category, name_of(program, event.name)] += 1
        return names

    def assert_counts(self, program, names, expected):
        """As many calls by name, or by category where names can't be known."""
        if not read_symbols(program):
            names, expected = ({category: sum(count for (c, _), count in of.items()
                                              if c == category)
                                for category in CALLED} for of in (names, expected))
        self.assertEqual({key: names[key] for key in expected}, expected)

    def load(self, server):
        with closing_all() as socks:
            for _ in range(CLIENTS):
                socks.append(server.connect())
            for n in range(MESSAGES):
                for sock in socks:
                    sock.sendall(b"message %6d" % n)
                for sock in socks:
                    self.assertEqual(support.read_exactly(sock, 14), b"message %6d" % n)
            pump(socks[0], b"x" * 1000000)
            reset(socks.pop())

    def test_the_echo_server_under_load(self):
        for backend in BACKENDS:
            with self.subTest(backend=backend):
                kind = WatchedKind("echo_server", backend, SELKIE_TRACE=self.path)
                with Server(kind) as server:
                    self.load(server)
                    self.assertEqual(server.stop(), 0)
                    self.assertEqual(server.errors(), "")
                self.check_echo_trace(self.read_trace())

    def check_echo_trace(self, events):
        calls = [e for e in events if e.category in CALLED]
        self.assertTrue(all(e.fd is not None for e in calls if e.category == "callback"))
        self.assertGreaterEqual(sum(e.category == "callback" for e in calls),
                                CLIENTS * MESSAGES)
        self.assertEqual(sum(e.category == "signal" for e in calls), 1)
        for event in calls:
            self.assertRegex(event.name, r"\A(echo_server\+0x[0-9a-f]+|\w+)\Z")
        if not read_symbols("echo_server"):
            self.skipTest("there is no nm to ask for names")
        names = {(e.category, name_of("echo_server", e.name)) for e in calls}
        names.discard(("callback", "write_cb"))  # as it happens
        self.assertEqual(names, {("callback", "accept_cb"), ("callback", "read_cb"),
                                 ("signal", "stop")})
        listeners = {e.fd for e in calls if name_of("echo_server", e.name) == "accept_cb"}
        self.assertEqual(len(listeners), 1)

    def test_timers(self):
        for backend in BACKENDS:
            with self.subTest(backend=backend):
                names = self.run_program("ticker", backend, "-i", "0.02", "-c", "5",
                                         "-f", "1000")
                self.assert_counts("ticker", names, {("timer", "tick"): 5})

    def test_tasks_from_threads_and_results(self):
        for backend in BACKENDS:
            with self.subTest(backend=backend):
                names = self.run_program("workers", backend, "-j", "5", "-u", "3000")
                self.assert_counts("workers", names, {("task", "part_done"): 500,
                                                      ("done", "job_done"): 5})

    def test_handles_on_the_loop_of_the_selector(self):
        for backend in BACKENDS:
            with self.subTest(backend=backend):
                names = self.run_program("deadline", backend, "-t", "1000", "echo", "x")
                read = "read_cb" if read_symbols("deadline") else None
                if read:
                    self.assertGreaterEqual(names["callback", read], 3)

    def test_a_trace_that_cannot_be_written_does_not_stop_the_program(self):
        kind = WatchedKind("ticker", "uv", SELKIE_TRACE="/no such directory/t.json")
        ended = subprocess.run(kind.command("-i", "0.01", "-c", "1"), text=True,
                               env=kind.environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               timeout=PATIENCE)
        self.assertEqual(ended.returncode, 0)
        self.assertRegex(ended.stdout, r"\A\S+  tick 1\n\S+  done\n\Z")
        self.assertRegex(ended.stderr, r"\Aselkie: [^\n]*/no such directory/t.json: "
                                       r"No such file or directory\n\Z")


class DebugTests(unittest.TestCase):
    def test_every_callback_is_slow_when_nothing_is_fast_enough(self):
        for backend in BACKENDS:
            with self.subTest(backend=backend):
                kind = WatchedKind("echo_server", backend, SELKIE_DEBUG="1",
                                   SELKIE_SLOW_MS="0")
                with Server(kind) as server:
                    with server.connect() as sock:
                        self.assertEqual(ask(sock, b"hello"), b"hello")
                    self.assertEqual(server.stop(signal.SIGINT), 0)
                    said = server.errors().splitlines()
                self.check(said)

    def check(self, said):
        called = []
        for line in said:
            self.assertRegex(line, r"\Aselkie: (callback \S+ of descriptor \d+|"
                                   r"signal \S+) took \d+\.\d ms\Z")
            called.append(name_of("echo_server", line.split()[2]))
        if not read_symbols("echo_server"):
            self.skipTest("there is no nm to ask for names")
        self.assertEqual(called, ["accept_cb", "read_cb", "read_cb", "stop"])

    def test_nothing_is_said_of_what_is_fast(self):
        for backend in BACKENDS:
            with self.subTest(backend=backend):
                kind = WatchedKind("ticker", backend, SELKIE_DEBUG="1",
                                   SELKIE_SLOW_MS="100000")
                ended = subprocess.run(kind.command("-i", "0.01", "-c", "3"),
                                       env=kind.environment(), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       timeout=PATIENCE)
                self.assertEqual((ended.returncode, ended.stderr), (0, b""))


if __name__ == "__main__":
    support.main()
