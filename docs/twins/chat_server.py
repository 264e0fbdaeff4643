#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A chat room: what one says, all others hear, line by line.

"exit" leaves, "/nick NAME" renames.  Nothing that a client sends can harm another: a
line longer than LINE_LIMIT is dropped, and its sender is told; all others are cleaned
before anyone sees them.

The rule for slow readers: at most QUEUE_LIMIT is queued for a client.  A line that does
not fit is skipped, for that client alone; once it has read half the queue, it is told
how many were.  demo/chat/chat_server.c is the same program in C.
"""
import contextlib
import errno
import re
import signal
import socket
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from chat_text import Line, clean_text
from fail import note
from handlers import Handlers
from listen import Reserve, accept_client, open_listener, parse_options, print_listening

READ_SIZE = 4096
LINE_LIMIT = 1024
QUEUE_LIMIT = 64 * 1024
ACCEPTS_PER_PASS = 16  # so that a rush of new clients leaves others their turn
FLUSH_SECONDS = 3  # how long one who leaves may take to read the rest
PAUSE_SECONDS = 0.1  # when the kernel has no room for a client


class ChatClient:
    def __init__(self, sock):
        self.sock = sock
        self.fd = sock.fileno()
        self.name = ""
        self.leaving = False  # says and hears no more
        self.ended = False  # it has sent its last byte
        self.line = Line(LINE_LIMIT)
        self.queue = bytearray()
        self.skipped = 0


class ChatServer:
    def __init__(self, options):
        self.listener = open_listener(options)
        self.reserve = Reserve()
        self.guests = 0  # how many there have been
        self.clients = {}  # a set that keeps its order
        self.verbose = options.verbose
        self.stopping = False
        self.running = True
        self.sel = DefaultSelector()
        self.handlers = Handlers()

    def hang_up(self, client):
        note(self.verbose, f"{client.fd}: closed")
        del self.clients[client]
        self.sel.unregister(client.sock)
        client.sock.close()
        if not self.clients and self.stopping:
            self.running = False

    def watch(self, client):
        events = 0 if client.ended else EVENT_READ
        if client.queue:
            events |= EVENT_WRITE
        self.sel.modify(client.sock, events, partial(self.serve, client))

    def send_queued(self, client):
        """Send what the socket takes."""
        if client.queue:
            with contextlib.suppress(BlockingIOError):
                sent = client.sock.send(client.queue)
                del client.queue[:sent]

    def say_to(self, client, text):
        """Errors are ignored here: whoever speaks must not end another client.  They
        come again in the callback of the client that has them.
        """
        if client.skipped or len(client.queue) + len(text) > QUEUE_LIMIT:
            client.skipped += 1
            return
        client.queue += text
        if len(client.queue) == len(text):
            with contextlib.suppress(OSError):
                self.send_queued(client)
        self.watch(client)

    def say_to_all(self, but, text):
        for client in self.clients:
            if client is not but and not client.leaving:
                self.say_to(client, text)

    def tell(self, client, text):
        self.say_to(client, f"* {text}\n".encode())

    def tell_all(self, but, text):
        self.say_to_all(but, f"* {text}\n".encode())

    def lose_patience(self, client):
        if client in self.clients:
            self.hang_up(client)

    def leave(self, client):
        """From now on it only gets what is queued for it, and not for long."""
        client.leaving = True
        client.line.clear()
        self.handlers.call_later(FLUSH_SECONDS, partial(self.lose_patience, client))

    def say_good_bye(self, client):
        self.tell_all(client, f"{client.name} has left")
        self.tell(client, "good bye")
        self.leave(client)

    def is_taken(self, name):
        return any(c.name == name for c in self.clients if not c.leaving)

    def rename(self, client, wanted):
        if not re.fullmatch(rb"[A-Za-z0-9_-]{1,20}", wanted):
            self.tell(client, "a name is 1 to 20 letters, digits, - and _")
        elif self.is_taken(wanted.decode()):
            self.tell(client, "that name is taken")
        else:
            self.tell_all(None, f"{client.name} is now {wanted.decode()}")
            client.name = wanted.decode()

    def hear(self, client):
        line = bytes(client.line.text).removesuffix(b"\r")
        if client.line.too_long:
            self.tell(client, f"a line has {LINE_LIMIT} bytes at most: yours was dropped")
        elif line == b"exit":
            self.say_good_bye(client)
        elif line.startswith(b"/nick "):
            self.rename(client, line.removeprefix(b"/nick "))
        elif line:
            text = clean_text(line)
            self.say_to_all(client, b"%s: %s\n" % (client.name.encode(), text))
        client.line.clear()

    def take(self, client, data):
        while data and not client.leaving:
            data, complete = client.line.take(data)
            if complete:
                self.hear(client)

    def receive(self, client):
        with contextlib.suppress(BlockingIOError):
            data = client.sock.recv(READ_SIZE)
            self.take(client, data)
            if not data:
                if client.line.text or client.line.too_long:
                    self.hear(client)
                client.ended = True

    def tell_skipped(self, client):
        skipped, client.skipped = client.skipped, 0
        self.tell(client, f"you read too slowly: {skipped} lines skipped")

    def serve(self, client, mask):
        failed = False
        try:
            if mask & EVENT_WRITE:
                self.send_queued(client)
            if client.skipped and len(client.queue) <= QUEUE_LIMIT / 2:
                self.tell_skipped(client)
            if mask & EVENT_READ:
                self.receive(client)
        except OSError:
            failed = True
        if (failed or client.ended) and not client.leaving:
            self.tell_all(client, f"{client.name} has left")
            self.leave(client)
        if client.leaving and not client.queue:
            with contextlib.suppress(OSError):
                client.sock.shutdown(socket.SHUT_WR)
        if failed or (client.ended and not client.queue):
            self.hang_up(client)
        else:
            self.watch(client)

    def welcome(self, client):
        while not client.name or self.is_taken(client.name):
            self.guests += 1
            client.name = f"guest{self.guests}"
        self.tell_all(None, f"{client.name} is here")
        self.clients[client] = True
        self.tell(client, f"welcome, {client.name}: /nick NAME renames you, exit leaves")

    def add_client(self, sock):
        client = ChatClient(sock)
        self.sel.register(sock, EVENT_READ, partial(self.serve, client))
        self.welcome(client)
        note(self.verbose, f"{client.fd}: {client.name}")

    def resume_accepting(self):
        if not self.stopping:
            self.sel.register(self.listener, EVENT_READ, self.accept)

    def accept(self, mask):
        for _ in range(ACCEPTS_PER_PASS):
            try:
                self.add_client(accept_client(self.listener, self.reserve))
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                pass
            except OSError as error:
                if error.errno != errno.EMFILE:
                    # A listener readable but not accepted from would keep the loop
                    # spinning.
                    self.handlers.call_later(PAUSE_SECONDS, self.resume_accepting)
                    self.sel.unregister(self.listener)
                    return

    def stop_accepting(self):
        with contextlib.suppress(KeyError):  # paused
            self.sel.unregister(self.listener)
        self.listener.close()
        self.reserve.close()

    def stop(self):
        """SIGINT, SIGTERM: say so, send what is queued, end.  The second time: end."""
        if self.stopping or not self.clients:
            self.running = False
            return
        self.stopping = True
        self.stop_accepting()
        self.tell_all(None, "the server stops")
        for client in self.clients:
            if not client.leaving:
                self.leave(client)
            if not client.queue:
                with contextlib.suppress(OSError):
                    client.sock.shutdown(socket.SHUT_WR)

    def run(self):
        while self.running:
            for key, mask in self.sel.select(self.handlers.timeout()):
                if key.fd in self.sel.get_map():  # not hung up on in this pass
                    key.data(mask)
            self.handlers.run()


def main():
    server = ChatServer(parse_options("A chat room: all others hear what one says."))
    server.sel.register(server.listener, EVENT_READ, server.accept)
    server.sel.register(server.handlers, EVENT_READ, lambda mask: None)  # run() serves it
    server.handlers.add_signal_handler(signal.SIGINT, server.stop)
    server.handlers.add_signal_handler(signal.SIGTERM, server.stop)
    print_listening(server.listener)

    server.run()

    for client in list(server.clients):
        server.hang_up(client)
    server.sel.close()


if __name__ == "__main__":
    main()
