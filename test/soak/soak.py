#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The real servers under clients that come, go, reset, stall and check every byte: what
`./run soak` starts.

The echo server and the chat server run on every backend side by side.  Every byte of an
echo must be the one that was sent; every line of the chat must reach every other member
once and in order.  When all clients have left, the servers must have no more
descriptors than at the start, and no more memory than after the first clients.  The exit
status is 0 only if all that is true, and every server exits with 0 when it is told to.
"""
import argparse
import random
import re
import resource
import signal
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "test" / "python"))
sys.dont_write_bytecode = True

import support
from chat_side import ChatSide
from echo_side import EchoSide
from engine import Engine
from hostile import BACKENDS, DESCRIPTORS, INSTRUMENTED, kinds_of
from support import Server, closing_all, eventually

MEMORY = 1 << 20  # how much more an allocator may keep than after the first clients
WARM_UP = 0.25  # of the time, and not more than LONGEST_WARM_UP seconds
LONGEST_WARM_UP = 20
DRAIN = 120  # seconds in which all clients must come to their end
COLUMNS = ["connections", "resets", "half-closes", "bytes", "lines", "skipped"]


class Stopped(Exception):
    """SIGINT or SIGTERM has come."""


def memory_of(server):
    """What it has allocated, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) * 1024


class Soak:
    def __init__(self, servers, seed):
        self.engine = Engine()
        self.sides = []
        for server in servers:
            side = EchoSide if server.kind.program == "echo_server" else ChatSide
            rng = random.Random(f"{seed} {server.kind.name}")
            self.sides.append(side(self.engine, server, rng))
        self.begun = self.told = time.monotonic()

    def total(self, what):
        return sum(side.figures[what] for side in self.sides)

    def tell_progress(self):
        if sys.stderr.isatty():
            passed = self.engine.now - self.begun
            print(f"\r{passed:.0f} s, {self.total('connections')} connections, "
                  f"{self.total('bytes') >> 20} MiB, {self.total('lines')} lines, "
                  f"{sum(side.wrong for side in self.sides)} wrong\033[K",
                  end="", file=sys.stderr, flush=True)

    def run_once(self):
        self.engine.run_once()
        for side in self.sides:
            side.step()
        if self.engine.now - self.told >= 1:
            self.told = self.engine.now
            self.tell_progress()
            for side in self.sides:
                side.tend()

    def run(self, seconds):
        """Load for so long, and until all have gone."""
        for side in self.sides:
            side.begin()
        self.run_until(lambda: False, seconds)
        for side in self.sides:
            side.finish()
        self.drain()

    def run_until(self, condition, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not condition():
            self.run_once()
        return condition()

    def drain(self):
        if not self.run_until(lambda: all(side.is_idle for side in self.sides), DRAIN):
            for side in self.sides:
                side.give_up()
                if not side.is_idle:
                    side.complain("it has not let go of all its clients")

    def close(self):
        for side in self.sides:
            side.close()


def judge(side, descriptors, memory):
    """After the last client has gone."""
    server = side.server
    if not eventually(lambda: server.descriptors() <= descriptors):
        side.complain(f"{server.descriptors()} descriptors, {descriptors} at the start")
    side.descriptors = descriptors, server.descriptors()
    side.memory = memory, memory_of(server)
    if side.memory[1] - memory > MEMORY and not INSTRUMENTED:
        side.complain(f"it keeps {side.memory[1]} bytes, after a while {memory}")


def stop(side):
    side.server.send_signal(signal.SIGTERM)
    side.see_the_end()
    status = side.server.wait()
    if status != 0:
        side.complain(f"exit status {status}")
    if side.server.errors():
        side.complain(f"it said: {side.server.errors()}")


def soak(servers, seconds, seed):
    """Returns the sides, judged."""
    it = Soak(servers, seed)
    try:
        it.drain()
        descriptors = [side.server.descriptors() for side in it.sides]
        warm_up = min(seconds * WARM_UP, LONGEST_WARM_UP)
        it.run(warm_up)
        memory = [memory_of(side.server) for side in it.sides]
        it.run(seconds - warm_up)
        for side, *before in zip(it.sides, descriptors, memory):
            judge(side, *before)
        for side in it.sides:
            stop(side)
    finally:
        it.close()
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)
    return it.sides


def print_summary(sides):
    heads = ["", *COLUMNS, "descriptors", "memory, KiB"]
    rows = [[side.server.kind.name, *(str(side.figures[name]) for name in COLUMNS),
             "{} -> {}".format(*side.descriptors),
             "{} -> {}".format(*(size >> 10 for size in side.memory))] for side in sides]
    rows.append(["in all", *(str(sum(side.figures[name] for side in sides))
                             for name in COLUMNS), "", ""])
    widths = [max(map(len, column)) for column in zip(heads, *rows)]
    for name, *cells in [heads, *rows]:
        line = [name.ljust(widths[0])]
        line += [cell.rjust(width) for cell, width in zip(cells, widths[1:])]
        print("  ".join(line).rstrip())
    wrong = sum(side.wrong for side in sides)
    for side in sides:
        print(*side.complaints, sep="\n", end="\n" if side.complaints else "")
    print(f"{wrong} wrong" if wrong else "nothing was lost, wrong, doubled or leaked")
    return wrong


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"run soak: {message}\n")


def whole_number(lowest, highest):
    def read(text):
        if not re.fullmatch(r"\d{1,18}", text) or not lowest <= int(text) <= highest:
            raise argparse.ArgumentTypeError(
                f"a number from {lowest} to {highest}, not '{text}'")
        return int(text)
    return read


def parse_arguments():
    parser = Parser(prog="./run soak", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seconds", metavar="SECONDS", nargs="?", default=60,
                        type=whole_number(1, 10**7), help="how long (60)")
    parser.add_argument("--seed", metavar="N", type=whole_number(0, 10**18),
                        default=time.time_ns() % 1000000,
                        help="the seed of the random choices")
    parser.add_argument("--backend", choices=BACKENDS, help="run only this backend")
    parser.add_argument("--programs", metavar="DIR", type=Path,
                        default=TOP / "build" / "release" / "demo",
                        help="where the compiled servers are")
    return parser.parse_args()


def interrupt(signum, frame):
    del frame
    raise Stopped(signal.Signals(signum).name)


def main():
    options = parse_arguments()
    support.programs = options.programs.resolve()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, interrupt)
    print(f"seed {options.seed}, {options.seconds} s", flush=True)
    kinds = [kind for program in ("echo_server", "chat_server")
             for kind in kinds_of(program)
             if options.backend in (None, kind.backend)]
    with closing_all() as servers:
        for kind in kinds:
            servers.append(Server(kind))
        sides = soak(servers, options.seconds, options.seed)
    return 1 if print_summary(sides) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Stopped as signal_name:
        sys.exit(f"run soak: stopped by {signal_name}")
    except OSError as error:
        sys.exit(f"run soak: a server cannot be started or reached: {error}")
