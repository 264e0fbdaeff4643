#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A chat client: watches the keyboard and the socket at once.

Keyboard is what standard input is: a terminal or a pipe is watched as the socket is; a
file can't be (it is always ready, and epoll says EPERM), so it is just read, a piece in
every pass.  More is read only while less than HIGH_WATER waits to be sent.  What the
server sends is cleaned before the terminal sees it.  demo/chat/chat_client.c is the same
program in C.
"""
import contextlib
import os
import signal
import socket
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

import command_line
from chat_text import Line, clean_text
from command_line import Option, number
from fail import EXIT_FAILURE, fail
from handlers import Handlers

READ_SIZE = 4096
HIGH_WATER = 16 * 1024
LINE_LIMIT = 8192
STDIN = 0

PURPOSE = "Chat: what you type goes to all others in the room."
OPTIONS = [
    Option("H", "host", "HOST", "the server's name or address (127.0.0.1)", "127.0.0.1",
           command_line.word),
    Option("p", "port", "PORT", "the server's port (1234)", 1234, number(1, 65535)),
    Option("n", "name", "NAME", "your name in the room", None, command_line.word),
]


class ChatClient:
    def __init__(self, sock, name):
        self.sock = sock
        self.input_ended = self.input_is_file = False
        self.queue = bytearray()  # for the server
        if name is not None:
            self.queue += b"/nick %s\n" % os.fsencode(name)
        self.line = Line(LINE_LIMIT)  # from the server
        self.running = True
        self.sel = DefaultSelector()
        self.handlers = Handlers()

    def wants_input(self):
        return not self.input_ended and len(self.queue) < HIGH_WATER

    def send_queued(self):
        if not self.queue:
            return
        try:
            sent = self.sock.send(self.queue)
            del self.queue[:sent]
        except BlockingIOError:
            pass
        except BrokenPipeError:  # it has hung up, and may have said why
            self.queue.clear()
        self.end_if_done()

    def end_if_done(self):
        if not self.queue and self.input_ended:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)

    def watch(self):
        """Wait for what comes next: from the keyboard, and room on the way to the
        server.
        """
        events = EVENT_READ | (EVENT_WRITE if self.queue else 0)
        self.sel.modify(self.sock, events, self.serve)
        watched = STDIN in self.sel.get_map()
        if watched and not self.wants_input():
            self.sel.unregister(STDIN)
        elif not watched and self.wants_input() and not self.input_is_file:
            try:
                self.sel.register(STDIN, EVENT_READ, self.read_input)
            except PermissionError:
                self.input_is_file = True

    def read_input(self, mask=0):
        """One read() for one notice: a second could wait, for the keyboard is not
        non-blocking.
        """
        try:
            data = os.read(STDIN, READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.queue += data
        self.input_ended = not data
        self.end_if_done()
        self.send_queued()
        self.watch()

    def show(self):
        text = clean_text(self.line.text) + b"\n"
        while text:
            text = text[os.write(1, text):]
        self.line.clear()

    def receive(self):
        try:
            data = self.sock.recv(READ_SIZE)
        except BlockingIOError:
            return
        self.running = bool(data)
        while data:
            data, complete = self.line.take(data)
            if complete:
                self.show()

    def serve(self, mask):
        if mask & EVENT_WRITE:
            self.send_queued()
        if mask & EVENT_READ:
            self.receive()
        self.watch()

    def interrupted(self):
        self.running = False

    def run(self):
        self.send_queued()
        self.watch()
        while self.running:
            reads_file = self.input_is_file and self.wants_input()
            for key, mask in self.sel.select(0 if reads_file else None):
                key.data(mask)
            self.handlers.run()
            if reads_file:
                self.read_input()


def main():
    options = command_line.read_command_line(PURPOSE, OPTIONS)
    try:
        sock = socket.create_connection((options.host, options.port))
    except OSError as error:
        fail(EXIT_FAILURE, f"cannot connect: {error.strerror}")
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client = ChatClient(sock, options.name)
    client.sel.register(sock, EVENT_READ, client.serve)
    client.sel.register(client.handlers, EVENT_READ, lambda mask: None)  # run() serves it
    client.handlers.add_signal_handler(signal.SIGINT, client.interrupted)
    client.handlers.add_signal_handler(signal.SIGTERM, client.interrupted)

    try:
        client.run()
    except OSError as error:
        fail(EXIT_FAILURE, f"cannot receive: {error.strerror}")

    client.sel.close()
    sock.close()


if __name__ == "__main__":
    main()
