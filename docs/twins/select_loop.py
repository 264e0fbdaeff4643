#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An echo server around select() itself: three lists in, three lists out, as the
oldest Python examples have it.  demo/select_loop.c is the same program in C, and
any client gets the same answers from echo_server.

A connection is in `inputs` while it may send more and in `outputs` while something
is queued for it; it is in at least one of them until it is closed.  Every pass
hands both lists to the kernel and every pass looks through them: that is what
select() costs, and why it stops at FD_SETSIZE descriptors.

select.select() goes on waiting after a signal, so signals come from a socket that is
in `inputs` as any other.
"""
import contextlib
import errno
import math
import select
import socket
import time

from fail import note, print_out
from listen import (Reserve, accept_client, is_settled, open_listener, parse_options,
                    print_listening)
from stop import open_stop, take_stop

READ_SIZE = 16 * 1024
HIGH_WATER = 64 * 1024
ACCEPTS_PER_PASS = 16  # so that a rush of new clients leaves others their turn
FLUSH_SECONDS = 3  # how long a client may take to read when the server stops
PAUSE_SECONDS = 0.1  # when the kernel has no room for a client
FD_SETSIZE = 1024


def list_set(sockets, sock, wanted):
    """Put the socket into the list if it is wanted there, else take it out."""
    if wanted and sock not in sockets:
        sockets.append(sock)
    if not wanted and sock in sockets:
        sockets.remove(sock)


class SelectServer:
    def __init__(self, options):
        self.inputs = []
        self.outputs = []
        self.message_queues = {}  # of every connection
        self.ended = set()  # those that have sent their last byte
        self.listener = open_listener(options)
        self.reserve = Reserve()
        self.stop_sock = open_stop()
        self.deadline = math.inf  # of a pause in accepting or of stopping
        self.verbose = options.verbose
        self.running = True
        self.stopping = False
        self.inputs += [self.listener, self.stop_sock]

    def hang_up(self, sock, why):
        note(self.verbose, f"{sock.fileno()}: {why}")
        list_set(self.inputs, sock, False)
        list_set(self.outputs, sock, False)
        del self.message_queues[sock]
        self.ended.discard(sock)
        sock.close()
        if not self.message_queues and self.stopping:
            self.running = False

    def watch(self, sock):
        """Put the connection into the lists it belongs in, or hang up if there is
        none.
        """
        queued = len(self.message_queues[sock])
        ended = sock in self.ended
        if queued == 0 and ended:
            self.hang_up(sock, "closed")
            return
        if queued == 0 and self.stopping:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
        room = queued < HIGH_WATER or self.stopping
        list_set(self.inputs, sock, not ended and room)
        list_set(self.outputs, sock, queued > 0)

    def add_connection(self, sock):
        if sock.fileno() >= FD_SETSIZE:
            note(self.verbose,
                 f"{sock.fileno()}: turned away: select() ends at {FD_SETSIZE}")
            sock.close()
            return
        note(self.verbose, f"{sock.fileno()}: accepted")
        self.message_queues[sock] = bytearray()
        self.watch(sock)

    def pause_accepting(self, error):
        """A listener that is readable but not accepted from would keep the loop
        spinning.
        """
        note(self.verbose, f"cannot accept for now: {error.strerror}")
        list_set(self.inputs, self.listener, False)
        self.deadline = time.monotonic() + PAUSE_SECONDS

    def accept_clients(self):
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

    def read_from(self, sock):
        if sock not in self.message_queues:  # closed in this pass
            return
        try:
            data = sock.recv(READ_SIZE)
            if not data:
                self.ended.add(sock)
            elif not self.stopping:
                note(self.verbose, f"{sock.fileno()}: echoing {len(data)} bytes")
                self.message_queues[sock] += data
        except BlockingIOError:
            pass
        except OSError as error:
            self.hang_up(sock, error.strerror)
            return
        self.watch(sock)

    def write_to(self, sock):
        queue = self.message_queues.get(sock)
        if not queue:
            return
        try:
            sent = sock.send(queue)
            del queue[:sent]
        except BlockingIOError:
            pass
        except OSError as error:
            self.hang_up(sock, error.strerror)
            return
        self.watch(sock)

    def take_urgent(self, sock):
        """Exceptional means an urgent byte; it is no part of the stream and not
        echoed.
        """
        with contextlib.suppress(OSError):
            if sock in self.message_queues and sock.recv(1, socket.MSG_OOB):
                note(self.verbose, f"{sock.fileno()}: an urgent byte")

    def finish(self, sock):
        """Let a client go once it has what is queued for it: it is sent our end, and
        what it sends is read and dropped until it sends its own.
        """
        if not self.message_queues[sock] and is_settled(sock):
            self.hang_up(sock, "closed")
        else:
            self.watch(sock)

    def stop(self):
        """SIGINT, SIGTERM: serve no more, but send what is queued.  The second time:
        end.
        """
        take_stop(self.stop_sock)
        if self.stopping or not self.message_queues:
            self.running = False
            return
        self.stopping = True
        self.deadline = time.monotonic() + FLUSH_SECONDS
        list_set(self.inputs, self.listener, False)
        self.listener.close()
        self.reserve.close()
        self.listener = None  # it may still be on a list of this pass
        for sock in list(self.message_queues):
            self.finish(sock)

    def time_is_up(self):
        self.deadline = math.inf
        if self.stopping:
            self.running = False
        else:
            list_set(self.inputs, self.listener, True)

    def serve(self, timeout):
        inputs, outputs = self.inputs, self.outputs
        while self.running:
            left = self.deadline - time.monotonic()
            wait = min(math.inf if timeout is None else timeout, max(left, 0))
            readable, writable, exceptional = select.select(
                inputs, outputs, inputs, None if wait == math.inf else wait)
            if not (readable or writable or exceptional) and wait == timeout:
                print_out("timed out\n")
                return
            for sock in readable:
                if sock is self.listener:
                    self.accept_clients()
                elif sock is self.stop_sock:
                    self.stop()
                else:
                    self.read_from(sock)
            for sock in writable:
                self.write_to(sock)
            for sock in exceptional:
                self.take_urgent(sock)
            if time.monotonic() >= self.deadline:
                self.time_is_up()


def main():
    options = parse_options(
        "Send every client back what it sends: one loop around select().",
        takes_timeout=True)
    server = SelectServer(options)
    print_listening(server.listener)
    server.serve(options.timeout)
    for sock in list(server.message_queues):
        server.hang_up(sock, "dropped")


if __name__ == "__main__":
    main()
