#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A load client: very many connections to an echo server from one process, each
sending a few messages and checking every byte that comes back.

Every connection stays open until the last one has had its messages, so that all of
them are there at once.  A connection has one message under way at a time; it is
dropped at its first wrong byte.  Nothing is waited for longer than --timeout.
demo/load/load.c is the same program in C.
"""
import contextlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from selectors import EVENT_READ, EVENT_WRITE

import command_line
from command_line import Option, number
from fail import EXIT_FAILURE, fail, print_line, print_out
from handlers import Handlers
from histogram import Histogram
from resource_limits import need_descriptors, need_ports

CHUNK = 16 * 1024
RAMP_SECONDS, PROGRESS_SECONDS = 0.01, 0.1
NANOSECONDS_PER_MS = 1e6
PERCENTS = (50, 90, 99, 99.9, 100)

PURPOSE = "Open many connections to an echo server and check what it echoes."
OPTIONS = [
    Option("c", "connections", "N", "how many connections at once (1000)", 1000,
           number(1, 1000000)),
    Option("m", "messages", "M", "how many messages each sends (3)", 3, number(1, 1000000)),
    Option("s", "size", "BYTES", "the size of a message (64)", 64, number(1, 1000000)),
    Option("r", "ramp", "N", "how many new connections per second (5000)", 5000,
           number(1, 1000000)),
    Option("H", "host", "HOST", "the server's name or address (127.0.0.1)", "127.0.0.1",
           command_line.word),
    Option("p", "port", "PORT", "the server's port (1234)", 1234, number(1, 65535)),
    Option("t", "timeout", "SECONDS", "give up after SECONDS without data (10)", 10,
           command_line.seconds),
    Option("j", "json", "FILE", "also write the result as JSON; - is stdout", None,
           command_line.word),
    Option("g", "histogram", None, "print all percentiles of the latency", False),
]


class Connection:
    def __init__(self, sock, number):
        self.sock = sock
        self.number = number
        self.connected = False
        self.message = 0  # how many have come back
        self.sent = self.received = 0  # of the one under way
        self.since = 0  # when it was begun
        self.word = b""


class Result:
    """A message has come back, is wrong, or is lost: neither of the two."""

    def __init__(self, options):
        self.connections = options.connections
        self.messages = options.connections * options.messages
        self.connected = self.open = self.at_once = 0
        self.came_back = self.wrong = self.bytes = self.seconds = 0
        self.latency = Histogram()

    @property
    def lost(self):
        return self.messages - self.came_back - self.wrong

    def is_complete(self):
        return self.connected == self.connections and self.came_back == self.messages

    def milliseconds(self, percent):
        return self.latency.percentile(percent) / NANOSECONDS_PER_MS

    def progress(self):
        # https://no-color.org: any value but an empty one.
        red = self.wrong and not os.environ.get("NO_COLOR")
        wrong = f"\033[31m{self.wrong} wrong\033[0m" if red else f"{self.wrong} wrong"
        return (f"\r{self.connected} of {self.connections} connected, {self.came_back}"
                f" of {self.messages} came back, {wrong}\033[K")

    def text(self, percentiles):
        latency = ", ".join(f"{p:g} % {self.milliseconds(p):.3f}" for p in PERCENTS)
        return (
            f"{self.connected} of {self.connections} connections,"
            f" {self.at_once} at once\n"
            f"{self.came_back} of {self.messages} messages came back,"
            f" {self.wrong} wrong, {self.lost} lost\n"
            f"{self.bytes} bytes in {self.seconds:.3f} s\n"
            f"latency in ms: {latency}\n" +
            (self.latency.text(NANOSECONDS_PER_MS) if percentiles else ""))

    def json(self):
        latency = {"mean": round(self.latency.mean() / NANOSECONDS_PER_MS, 6)}
        latency |= {f"{p:g}": round(self.milliseconds(p), 6) for p in PERCENTS}
        names = ("connections", "connected", "at_once", "messages", "came_back", "wrong",
                 "lost", "bytes", "seconds")
        return json.dumps({name: getattr(self, name) for name in names}
                          | {"latency_ms": latency}) + "\n"


class Load:
    def __init__(self, options):
        self.options = options
        self.result = Result(options)
        try:
            self.family, _, _, _, self.server = socket.getaddrinfo(
                options.host, options.port, type=socket.SOCK_STREAM)[0]
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            fail(EXIT_FAILURE, f"cannot find {options.host}: {reason}")
        self.begun = self.done = 0  # done: has had all its messages, or was dropped
        self.failed = self.ending = False
        self.running = True

    def fill(self, conn, offset, size):
        """Bytes of the message that is under way, from `offset` on: "17.2 17.2 ..." for
        message 2 of connection 17, so that another connection's bytes are seen as wrong.
        """
        start = offset % len(conn.word)
        return (conn.word * (size // len(conn.word) + 2))[start:start + size]

    def close_connection(self, conn):
        self.sel.unregister(conn.sock)
        conn.sock.close()
        self.result.open -= conn.connected
        if self.result.open == 0 and self.ending:
            self.running = False

    def end(self):
        """All have had their messages: say so to the server and wait for its end."""
        self.ending = True
        self.result.seconds = time.monotonic() - self.start
        for key in self.sel.get_map().values():
            if isinstance(key.data, Connection):
                with contextlib.suppress(OSError):
                    key.data.sock.shutdown(socket.SHUT_WR)
        if self.result.open == 0:
            self.running = False

    def one_is_done(self):
        self.done += 1
        if self.done == self.options.connections:
            self.end()

    def tell_failure(self, number, why):
        if not self.failed:  # ten thousand would say the same
            self.clear_progress()
            print_line(f"connection {number}: {why}")
        self.failed = True

    def drop(self, conn, why):
        self.tell_failure(conn.number, why)
        self.close_connection(conn)
        self.one_is_done()

    def send_message(self, conn):
        """Go on sending, and watch for WRITE only while there is more to send."""
        with contextlib.suppress(BlockingIOError):
            while conn.sent < self.options.size:
                part = min(CHUNK, self.options.size - conn.sent)
                conn.sent += conn.sock.send(self.fill(conn, conn.sent, part))
        more = conn.sent < self.options.size
        self.sel.modify(conn.sock, EVENT_READ | (EVENT_WRITE if more else 0), conn)

    def next_message(self, conn):
        conn.sent = conn.received = 0
        conn.since = time.monotonic_ns()
        if conn.message < self.options.messages:
            conn.word = b"%d.%d " % (conn.number, conn.message)
            self.send_message(conn)
        else:
            self.one_is_done()

    def came_back(self, conn):
        self.result.latency.add(time.monotonic_ns() - conn.since)
        self.result.came_back += 1
        conn.message += 1
        self.next_message(conn)

    def after_the_last(self, conn, data):
        """Bytes after the last message make it wrong; an end is what the server owes."""
        if data:
            self.result.came_back -= 1
            self.result.wrong += 1
            self.tell_failure(conn.number, "more came back than was sent")
        self.close_connection(conn)

    def check_bytes(self, conn, data):
        expected = self.fill(conn, conn.received, len(data))
        conn.received += len(data)
        # What was not sent yet can't be an echo.
        if conn.received > conn.sent or data != expected:
            self.result.wrong += 1
            self.drop(conn, "a wrong byte came back")
        elif conn.received == self.options.size:
            self.came_back(conn)

    def receive(self, conn):
        try:
            data = conn.sock.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            if conn.message < self.options.messages:
                raise
            data = b""
        self.last_news = time.monotonic()
        self.result.bytes += len(data)
        if conn.message == self.options.messages:
            self.after_the_last(conn, data)
        elif data:
            self.check_bytes(conn, data)
        else:
            self.drop(conn, "the server hung up")

    def connected(self, conn):
        self.last_news = time.monotonic()
        error = conn.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self.drop(conn, os.strerror(error))
            return
        conn.connected = True
        self.result.connected += 1
        self.result.open += 1
        self.result.at_once = max(self.result.at_once, self.result.open)
        self.next_message(conn)

    def serve(self, conn, mask):
        try:
            if not conn.connected:
                self.connected(conn)
                return
            if mask & EVENT_READ:
                self.receive(conn)
            if mask & EVENT_WRITE and conn.sock.fileno() >= 0:
                self.send_message(conn)
        except OSError as error:
            self.drop(conn, error.strerror)

    def begin(self, number):
        try:
            sock = socket.socket(self.family, socket.SOCK_STREAM)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(BlockingIOError):
                sock.connect(self.server)
        except OSError as error:
            self.tell_failure(number, error.strerror)
            self.one_is_done()
            return
        self.sel.register(sock, EVENT_WRITE, Connection(sock, number))

    def ramp_up(self):
        due = 1 + (time.monotonic() - self.start) * self.options.ramp
        while self.begun < self.options.connections and self.begun < due:
            self.begun += 1
            self.begin(self.begun - 1)
        if self.begun < self.options.connections:
            self.handlers.call_later(RAMP_SECONDS, self.ramp_up)

    def show_progress(self):
        if os.isatty(2):
            os.write(2, self.result.progress().encode())
            self.handlers.call_later(PROGRESS_SECONDS, self.show_progress)

    def clear_progress(self):
        if os.isatty(2):
            os.write(2, b"\r\033[K")

    def give_up_if_late(self):
        left = self.last_news + self.options.timeout - time.monotonic()
        if left > 0:
            self.handlers.call_later(left, self.give_up_if_late)
            return
        self.clear_progress()
        print_line(f"nothing has come for {self.options.timeout:g} seconds")
        self.running = False

    def interrupted(self):
        self.running = False

    def run(self):
        self.sel = selectors.DefaultSelector()
        self.handlers = Handlers()
        self.start = self.last_news = time.monotonic()
        self.sel.register(self.handlers, EVENT_READ)
        self.handlers.add_signal_handler(signal.SIGINT, self.interrupted)
        self.handlers.add_signal_handler(signal.SIGTERM, self.interrupted)
        self.ramp_up()
        self.show_progress()
        self.give_up_if_late()
        while self.running:
            for key, mask in self.sel.select(self.handlers.timeout()):
                if key.data:
                    self.serve(key.data, mask)
            self.handlers.run()
        if not self.ending:
            self.result.seconds = time.monotonic() - self.start
        self.clear_progress()
        for key in list(self.sel.get_map().values()):
            if key.data:
                self.close_connection(key.data)
        self.sel.close()


def main():
    options = command_line.read_command_line(PURPOSE, OPTIONS)
    load = Load(options)
    need_descriptors(options.connections)
    need_ports(options.connections)

    load.run()

    text = load.result.text(options.histogram)
    if options.json == "-":
        os.write(2, text.encode())
        print_out(load.result.json())
    else:
        print_out(text)
        if options.json:
            try:
                with open(options.json, "w") as file:
                    file.write(load.result.json())
            except OSError as error:
                fail(EXIT_FAILURE, f"cannot write {options.json}: {error.strerror}")
    sys.exit(0 if load.result.is_complete() else EXIT_FAILURE)


if __name__ == "__main__":
    main()
