#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same echo in three server models: a process for each client, a thread for each
client, one event loop for all.

The listener is watched by one loop in all three; what differs is who serves a client.
--measure starts each model in a process of its own and talks to it; with a few clients
threads may well win.  demo/lessons/14_server_models.c is the same program in C.
"""
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

import command_line
from command_line import Option, number, read_command_line
from fail import EXIT_FAILURE, EXIT_USAGE, fail, print_out
from handlers import Handlers
from listen import Reserve, accept_client, open_listener, print_listening
from process import run_in_child

READ_SIZE, HIGH_WATER, CLIENTS_MAX = 16 * 1024, 64 * 1024, 1000
MODELS, COUNTS, MESSAGES = ("fork", "thread", "loop"), (1, 10, 100), 2000
MESSAGE = b"sixteen bytes...\0"

PURPOSE = "The same echo in three server models."
OPTIONS = [
    Option("m", "model", "MODEL", "fork, thread or loop (loop)", "loop",
           command_line.word),
    Option("M", "measure", None, "measure all three instead of serving", False),
    Option("H", "host", "HOST", "the name or address to listen on (127.0.0.1)",
           "127.0.0.1", command_line.word),
    Option("p", "port", "PORT", "the port; 0 picks a free one (1234)", 1234,
           number(0, 65535)),
]


def serve_one(sock):
    """What a process or a thread does for its client: wait for bytes, send them back."""
    with contextlib.suppress(OSError):
        while data := sock.recv(READ_SIZE):
            sock.sendall(data)


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.pid = 0  # of its process
        self.thread = None
        self.queue = bytearray()  # in the loop
        self.ended = False  # it has sent its last byte


class ModelServer:
    def __init__(self, model, listener):
        self.model = model
        self.listener = listener
        self.reserve = Reserve()
        self.clients = []
        self.running = True
        self.sel = DefaultSelector()
        self.handlers = Handlers()

    def forget(self, client):
        self.clients.remove(client)
        client.sock.close()

    def run_process(self, client):
        self.listener.close()
        for other in self.clients:  # else they would never see their end
            if other is not client:
                other.sock.close()
        serve_one(client.sock)

    def reap(self):
        """SIGCHLD"""
        with contextlib.suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                for client in [c for c in self.clients if c.pid == pid]:
                    self.forget(client)

    def run_thread(self, client):
        serve_one(client.sock)
        with contextlib.suppress(OSError):
            client.sock.shutdown(socket.SHUT_RDWR)

    def join_done(self):
        """Whose threads have ended: the next to come finds out."""
        for client in list(self.clients):
            if client.thread and not client.thread.is_alive():
                self.forget(client)

    def hang_up(self, client):
        self.sel.unregister(client.sock)
        self.forget(client)

    def echo(self, client, mask):
        if mask & EVENT_READ:
            with contextlib.suppress(BlockingIOError):
                data = client.sock.recv(READ_SIZE)
                client.ended = not data
                client.queue += data
        if client.queue:
            with contextlib.suppress(BlockingIOError):
                sent = client.sock.send(client.queue)
                del client.queue[:sent]
        room = len(client.queue) < HIGH_WATER and not client.ended
        events = (EVENT_READ if room else 0) | (EVENT_WRITE if client.queue else 0)
        if events:
            self.sel.modify(client.sock, events, partial(self.serve, client))
        else:
            self.hang_up(client)

    def serve(self, client, mask):
        try:
            self.echo(client, mask)
        except OSError:
            self.hang_up(client)

    def accept(self, mask):
        self.join_done()
        try:
            sock = accept_client(self.listener, self.reserve)
        except OSError:
            return
        if len(self.clients) == CLIENTS_MAX:
            sock.close()
            return
        client = Client(sock)
        self.clients.append(client)
        sock.setblocking(self.model != "loop")
        if self.model == "fork":
            client.pid = run_in_child(self.run_process, client)
        elif self.model == "thread":
            client.thread = threading.Thread(target=self.run_thread, args=(client,))
            client.thread.start()
        else:
            self.sel.register(sock, EVENT_READ, partial(self.serve, client))

    def stop(self, mask=0):
        self.running = False

    def end_client(self, client):
        """Ends what serves a client, and waits for it."""
        if client.pid:
            os.kill(client.pid, signal.SIGTERM)
            os.waitpid(client.pid, 0)
        elif client.thread:
            with contextlib.suppress(OSError):
                client.sock.shutdown(socket.SHUT_RDWR)  # its recv() returns
            client.thread.join()
        else:
            self.sel.unregister(client.sock)
        self.forget(client)

    def run(self, life=None):
        """Serve until SIGINT, SIGTERM, or the end of `life`."""
        self.sel.register(self.listener, EVENT_READ, self.accept)
        self.sel.register(self.handlers, EVENT_READ, lambda mask: None)
        if life:
            self.sel.register(life, EVENT_READ, self.stop)
        self.handlers.add_signal_handler(signal.SIGINT, self.stop)
        self.handlers.add_signal_handler(signal.SIGTERM, self.stop)
        if self.model == "fork":
            self.handlers.add_signal_handler(signal.SIGCHLD, self.reap)
        while self.running:
            for key, mask in self.sel.select():
                key.data(mask)
            self.handlers.run()
        while self.clients:
            self.end_client(self.clients[0])
        self.sel.close()
        self.listener.close()
        self.reserve.close()


def exchange(socks):
    for sock in socks:
        sock.sendall(MESSAGE)
    for sock in socks:
        if sock.recv(len(MESSAGE), socket.MSG_WAITALL) != MESSAGE:
            fail(EXIT_FAILURE, "a wrong echo")


def measure(address, count):
    """Messages a second.  All clients have one message under way at a time."""
    rounds = MESSAGES // count
    socks = [socket.create_connection(address) for _ in range(count)]
    exchange(socks)  # all are served now
    start = time.monotonic()
    for _ in range(rounds):
        exchange(socks)
    seconds = time.monotonic() - start
    for sock in socks:
        sock.close()
    return rounds * count / seconds


def serve_measured(model, listener, life, parents_end):
    parents_end.close()
    ModelServer(model, listener).run(life)


def measure_model(model, options):
    listener = open_listener(options)
    ours, life = socket.socketpair()
    pid = run_in_child(serve_measured, model, listener, life, ours)
    life.close()
    rates = [measure(listener.getsockname()[:2], count) for count in COUNTS]
    listener.close()
    ours.close()
    os.waitpid(pid, 0)
    return rates


def measure_models(options):
    rates = [measure_model(model, options) for model in MODELS]
    names = "".join(f" {model:>10}" for model in MODELS)
    print_out(f"messages a second\nclients{names}\n")
    for count, *row in zip(COUNTS, *rates):
        print_out(f"{count:7d}{''.join(f' {rate:10.0f}' for rate in row)}\n")


def main():
    options = read_command_line(PURPOSE, OPTIONS)
    options.backlog = 4096
    if options.model not in MODELS:
        fail(EXIT_USAGE, f"--model must be fork, thread or loop, not '{options.model}'")
    if options.measure:
        options.port = 0
        measure_models(options)
        sys.exit()
    listener = open_listener(options)
    print_listening(listener)
    ModelServer(options.model, listener).run()


if __name__ == "__main__":
    main()
