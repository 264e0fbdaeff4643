#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An echo server around epoll itself: create, ctl, wait.  demo/lessons/05_epoll_loop.c
is the same program in C.

select() and poll() are told everything at every call, and the kernel looks at all of
it.  epoll keeps what it is told: register() (epoll_ctl, ADD) adds a descriptor once,
the kernel hooks itself into that file's wait queue, and what becomes ready puts itself
on a list.  poll() (epoll_wait) copies out what is on the list and looks at nothing
else.  (select() came with 4.2BSD in 1983, poll() with System V Release 3 in 1986, epoll
with Linux 2.6.)

The kernel's answer carries a word of the program's.  select.epoll puts the descriptor
there, so connections is a table from fd to connection.

Two things echo_server does better, for which there is no room here: a signal ends this
loop at once, with what is queued unsent, and while the kernel has no room for another
client it spins.
"""
import contextlib
import os
import select
import socket
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI

from fail import note, print_out
from listen import Reserve, accept_client, open_listener, parse_options, print_listening
from stop import open_stop

READ_ONLY = EPOLLIN | EPOLLPRI  # EPOLLHUP and EPOLLERR come unasked
READ_WRITE = READ_ONLY | EPOLLOUT
WRITE_ONLY = EPOLLPRI | EPOLLOUT
READ_SIZE = 16 * 1024
HIGH_WATER = 64 * 1024  # no reading from who has so much queued
BATCH_SIZE = 64  # answers for one epoll_wait(); what is left comes next time


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.asked = READ_ONLY  # what the kernel was told last
        self.ended = False  # it has sent its last byte
        self.message_queue = bytearray()


class EpollServer:
    def __init__(self, options):
        self.connections = {}  # by descriptor
        self.listener = open_listener(options)
        self.reserve = Reserve()
        self.stop = open_stop()
        self.verbose = options.verbose
        self.epoll = select.epoll()

    def hang_up(self, fd, why):
        note(self.verbose, f"{fd}: {why}")
        self.epoll.unregister(fd)
        self.connections.pop(fd).sock.close()

    def watch(self, fd):
        """Modify what is asked for, or hang up if there is nothing more to do."""
        conn = self.connections[fd]
        queued = len(conn.message_queue)
        events = READ_WRITE if queued > 0 else READ_ONLY
        if queued == 0 and conn.ended:
            self.hang_up(fd, "closed")
            return
        if conn.ended or queued >= HIGH_WATER:
            events = WRITE_ONLY
        if events != conn.asked:  # every change is a system call
            conn.asked = events
            self.epoll.modify(fd, events)

    def accept_connection(self):
        try:
            sock = accept_client(self.listener, self.reserve)
        except OSError:
            return
        note(self.verbose, f"{sock.fileno()}: accepted")
        try:
            self.epoll.register(sock, READ_ONLY)
        except OSError as error:
            note(self.verbose, f"{sock.fileno()}: {error.strerror}")
            sock.close()
            return
        self.connections[sock.fileno()] = Connection(sock)

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
            if flags & EPOLLPRI:
                self.take_urgent(fd, conn)
            if flags & EPOLLIN:
                self.read_from(fd, conn)
            elif flags & EPOLLERR:
                self.raise_pending(conn)
            if flags & EPOLLOUT and conn.message_queue:
                self.write_to(fd, conn)
        except OSError as error:
            self.hang_up(fd, error.strerror)
            return
        if flags & EPOLLHUP and not flags & EPOLLIN:
            self.hang_up(fd, "hung up")  # nobody is left to send to
        else:
            self.watch(fd)

    def note_flags(self, who, flags):
        """One line of the names of the flags that came."""
        names = [name for name in
                 ("EPOLLIN", "EPOLLPRI", "EPOLLOUT", "EPOLLERR", "EPOLLHUP")
                 if flags & getattr(select, name)]
        note(self.verbose, f"{who}: {' '.join(names)}")

    def serve_ready(self, ready):
        """Returns false when a signal has come."""
        for fd, flags in ready:
            if fd == self.stop.fileno():
                return False
            is_listener = fd == self.listener.fileno()
            self.note_flags("listener" if is_listener else "client", flags)
            if is_listener:
                self.accept_connection()
            else:
                self.serve(fd, flags)
        return True

    def run(self, timeout):
        while ready := self.epoll.poll(timeout, BATCH_SIZE):
            if not self.serve_ready(ready):
                return
        print_out("timed out\n")


def main():
    options = parse_options(
        "Send every client back what it sends: one loop around epoll.",
        takes_timeout=True)
    server = EpollServer(options)
    server.epoll.register(server.stop, READ_ONLY)
    server.epoll.register(server.listener, READ_ONLY)
    print_listening(server.listener)

    server.run(options.timeout)

    for fd in list(server.connections):
        server.hang_up(fd, "dropped")
    server.epoll.close()


if __name__ == "__main__":
    main()
