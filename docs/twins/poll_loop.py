#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An echo server around poll() itself.  demo/lessons/04_poll_loop.c is the same program
in C, which keeps the array that select.poll() keeps here.

poll() answers with descriptors, so connections is a table from fd to connection.  There
is no limit at 1024 as select() has it, but still every call hands all descriptors over
and the kernel looks through them.

What poll() watches stays until it is modified; select()'s lists are handed over anew
each time.  POLLHUP and POLLERR are reported whether asked for or not.  The timeout is
in milliseconds.

Two things echo_server does better, for which there is no room here: a signal ends this
loop at once, with what is queued unsent, and while the kernel has no room for another
client it spins.
"""
import contextlib
import math
import os
import select
import socket
from select import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI

from fail import note, print_out
from listen import Reserve, accept_client, open_listener, parse_options, print_listening
from stop import open_stop

READ_ONLY = POLLIN | POLLPRI | POLLHUP | POLLERR
READ_WRITE = READ_ONLY | POLLOUT
WRITE_ONLY = READ_WRITE & ~POLLIN
READ_SIZE = 16 * 1024
HIGH_WATER = 64 * 1024  # no reading from who has so much queued


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.ended = False  # it has sent its last byte
        self.message_queue = bytearray()


class PollServer:
    def __init__(self, options):
        self.poller = select.poll()
        self.connections = {}  # by descriptor
        self.listener = open_listener(options)
        self.reserve = Reserve()
        self.stop = open_stop()
        self.verbose = options.verbose

    def hang_up(self, fd, why):
        note(self.verbose, f"{fd}: {why}")
        self.poller.unregister(fd)
        self.connections.pop(fd).sock.close()

    def watch(self, fd):
        """Modify what is asked for, or hang up if there is nothing more to do."""
        conn = self.connections[fd]
        queued = len(conn.message_queue)
        if queued == 0 and conn.ended:
            self.hang_up(fd, "closed")
        elif conn.ended or queued >= HIGH_WATER:
            self.poller.modify(fd, WRITE_ONLY)
        else:
            self.poller.modify(fd, READ_WRITE if queued > 0 else READ_ONLY)

    def accept_connection(self):
        try:
            sock = accept_client(self.listener, self.reserve)
        except OSError:
            return
        self.connections[sock.fileno()] = Connection(sock)
        self.poller.register(sock, READ_ONLY)
        note(self.verbose, f"{sock.fileno()}: accepted")

    def take_urgent(self, fd, conn):
        with contextlib.suppress(OSError):
            if conn.sock.recv(1, socket.MSG_OOB):  # no part of the stream, not echoed
                note(self.verbose, f"{fd}: an urgent byte")

    def read_from(self, fd, conn):
        with contextlib.suppress(BlockingIOError):
            data = conn.sock.recv(READ_SIZE)
            if not data:
                conn.ended = True
                return
            note(self.verbose, f"{fd}: received {len(data)} bytes")
            conn.message_queue += data

    def write_to(self, fd, conn):
        with contextlib.suppress(BlockingIOError):
            sent = conn.sock.send(conn.message_queue)
            note(self.verbose, f"{fd}: sent {sent} bytes")
            del conn.message_queue[:sent]

    def raise_pending(self, conn):
        """Raise the error that the connection has; asking clears it."""
        error = conn.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))

    def serve(self, fd, flags):
        """In this order: there may be something left to read behind a hang-up."""
        conn = self.connections[fd]
        try:
            if flags & POLLPRI:
                self.take_urgent(fd, conn)
            if flags & POLLIN:
                self.read_from(fd, conn)
            elif flags & POLLERR:
                self.raise_pending(conn)
            if flags & POLLOUT and conn.message_queue:
                self.write_to(fd, conn)
        except OSError as error:
            self.hang_up(fd, error.strerror)
            return
        if flags & POLLHUP and not flags & POLLIN:
            self.hang_up(fd, "hung up")  # nobody is left to send to
        else:
            self.watch(fd)

    def note_flags(self, who, flags):
        """One line of the names of the flags that came."""
        names = [name for name in ("POLLIN", "POLLPRI", "POLLOUT", "POLLERR", "POLLHUP")
                 if flags & getattr(select, name)]
        note(self.verbose, f"{who}: {' '.join(names)}")

    def serve_ready(self, ready):
        """Returns false when a signal has come."""
        for fd, flags in ready:
            if fd == self.stop.fileno():
                return False
            self.note_flags("listener" if fd == self.listener.fileno() else "client",
                            flags)
            if fd == self.listener.fileno():
                self.accept_connection()
            else:
                self.serve(fd, flags)
        return True

    def run(self, timeout):
        while ready := self.poller.poll(milliseconds(timeout)):
            if not self.serve_ready(ready):
                return
        print_out("timed out\n")


def milliseconds(seconds):
    return None if seconds is None else math.ceil(seconds * 1000)


def main():
    options = parse_options(
        "Send every client back what it sends: one loop around poll().",
        takes_timeout=True)
    server = PollServer(options)
    server.poller.register(server.stop, READ_ONLY)
    server.poller.register(server.listener, READ_ONLY)
    print_listening(server.listener)

    server.run(options.timeout)

    for fd in list(server.connections):
        server.hang_up(fd, "dropped")


if __name__ == "__main__":
    main()
