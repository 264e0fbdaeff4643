#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An echo server: the example of the selectors module, done right.

One selector holds the listener and every client.  Each key carries the callback
that serves it; the main loop knows nothing else.  demo/echo_server.c is the same
program in C.

What a client's socket does not take at once is queued, and only while something
is queued does the selector watch for WRITE.  A client that sends but does not
read is not read from either once HIGH_WATER bytes are queued, so that a client
costs HIGH_WATER + READ_SIZE bytes at most.
"""
import contextlib
import errno
import signal
import socket
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from fail import note
from handlers import Handlers
from listen import (Reserve, accept_client, is_settled, open_listener, parse_options,
                    print_listening)

READ_SIZE = 16 * 1024
HIGH_WATER = 64 * 1024
ACCEPTS_PER_PASS = 16  # so that a rush of new clients leaves others their turn
FLUSH_SECONDS = 3  # how long a client may take to read when the server stops
PAUSE_SECONDS = 0.1  # when the kernel has no room for a client


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.fd = sock.fileno()
        self.ended = False  # it has sent its last byte
        self.queue = bytearray()


class EchoServer:
    def __init__(self, options):
        self.listener = open_listener(options)
        self.reserve = Reserve()
        self.clients = set()
        self.verbose = options.verbose
        self.stopping = False
        self.running = True
        self.sel = DefaultSelector()
        self.handlers = Handlers()

    def hang_up(self, conn, why):
        note(self.verbose, f"{conn.fd}: {why}")
        self.sel.unregister(conn.sock)
        conn.sock.close()
        self.clients.discard(conn)
        if not self.clients and self.stopping:
            self.running = False

    def watch(self, conn):
        """Watch for what the connection needs next, or hang up if that is nothing."""
        queued = len(conn.queue)
        if queued == 0 and conn.ended:
            self.hang_up(conn, "closed")
            return
        if queued == 0 and self.stopping:
            with contextlib.suppress(OSError):
                conn.sock.shutdown(socket.SHUT_WR)
        events = 0
        if not conn.ended and (queued < HIGH_WATER or self.stopping):
            events |= EVENT_READ
        if queued > 0:
            events |= EVENT_WRITE
        callback = self.write if queued > 0 else self.read
        self.sel.modify(conn.sock, events, partial(callback, conn))

    def send_queued(self, conn):
        """Send what the socket takes of the queue."""
        if not conn.queue:
            return
        with contextlib.suppress(BlockingIOError):
            sent = conn.sock.send(conn.queue)
            del conn.queue[:sent]

    def add_connection(self, sock):
        conn = Connection(sock)
        self.sel.register(sock, EVENT_READ, partial(self.read, conn))
        self.clients.add(conn)
        note(self.verbose, f"{conn.fd}: accepted")

    def resume_accepting(self):
        if not self.stopping:
            self.sel.register(self.listener, EVENT_READ, self.accept)

    def pause_accepting(self, error):
        """A listener that is readable but not accepted from would keep the loop
        spinning.
        """
        note(self.verbose, f"cannot accept for now: {error.strerror}")
        self.handlers.call_later(PAUSE_SECONDS, self.resume_accepting)
        self.sel.unregister(self.listener)

    def accept(self, mask):
        for _ in range(ACCEPTS_PER_PASS):
            try:
                self.add_connection(accept_client(self.listener, self.reserve))
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                pass
            except OSError as error:
                if error.errno == errno.EMFILE:
                    note(self.verbose, f"turned away: {error.strerror}")
                else:
                    self.pause_accepting(error)
                    return

    def read(self, conn, mask):
        try:
            data = conn.sock.recv(READ_SIZE)
            if not data:
                conn.ended = True
            elif not self.stopping:
                note(self.verbose, f"{conn.fd}: echoing {len(data)} bytes")
                conn.queue += data
                self.send_queued(conn)
        except BlockingIOError:
            pass
        except OSError as error:
            self.hang_up(conn, error.strerror)
            return
        self.watch(conn)

    def write(self, conn, mask):
        """The callback while something is queued."""
        if not mask & EVENT_WRITE:
            self.read(conn, mask)
            return
        try:
            self.send_queued(conn)
        except OSError as error:
            self.hang_up(conn, error.strerror)
            return
        self.watch(conn)

    def finish(self, conn):
        """Let a client go once it has what is queued for it: it is sent our end, and
        what it sends is read and dropped until it sends its own.
        """
        if not conn.queue and is_settled(conn.sock):
            self.hang_up(conn, "closed")
        else:
            self.watch(conn)

    def time_is_up(self):
        self.running = False

    def stop_accepting(self):
        with contextlib.suppress(KeyError):  # paused
            self.sel.unregister(self.listener)
        self.listener.close()
        self.reserve.close()

    def stop(self):
        """SIGINT, SIGTERM: serve no more, but send what is queued.  The second time:
        end.
        """
        if self.stopping:
            self.running = False
            return
        self.stopping = True
        self.stop_accepting()
        self.handlers.call_later(FLUSH_SECONDS, self.time_is_up)
        if not self.clients:
            self.running = False
        for conn in list(self.clients):
            self.finish(conn)

    def run(self):
        while self.running:
            for key, mask in self.sel.select(self.handlers.timeout()):
                callback = key.data
                callback(mask)
            self.handlers.run()


def main():
    server = EchoServer(parse_options(
        "Send every client back what it sends: one loop over a selector."))
    server.sel.register(server.listener, EVENT_READ, server.accept)
    server.sel.register(server.handlers, EVENT_READ, lambda mask: None)  # run() serves it
    server.handlers.add_signal_handler(signal.SIGINT, server.stop)
    server.handlers.add_signal_handler(signal.SIGTERM, server.stop)
    print_listening(server.listener)

    server.run()

    for conn in list(server.clients):
        server.hang_up(conn, "dropped")
    server.sel.close()


if __name__ == "__main__":
    main()
