# SPDX-License-Identifier: MIT
"""The loop under the clients of the soak: sockets, each with the client that serves it,
and calls that are due later.

A client has ready(mask) and, when it is given up, abandon(why).
"""
import heapq
import itertools
import selectors
import time

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Engine:
    def __init__(self):
        self.sel = selectors.DefaultSelector()
        self.timers = []
        self.order = itertools.count()
        self.now = time.monotonic()

    def watch(self, client, events):
        """Wait for what a client needs next; nothing is fine, too."""
        known = client.sock in self.sel.get_map() if client.sock.fileno() >= 0 else False
        if known and events:
            if self.sel.get_key(client.sock).events != events:
                self.sel.modify(client.sock, events, client)
        elif known:
            self.sel.unregister(client.sock)
        elif events:
            self.sel.register(client.sock, events, client)

    def close(self, client):
        self.watch(client, 0)
        client.sock.close()

    def call_later(self, delay, task, *arguments):
        heapq.heappush(self.timers, (self.now + delay, next(self.order), task, arguments))

    def run_once(self, longest=0.05):
        """Serve what is ready and do what is due."""
        if self.timers:
            longest = min(longest, max(0, self.timers[0][0] - time.monotonic()))
        for key, mask in self.sel.select(longest):
            if key.fileobj.fileno() >= 0:  # not closed in this pass
                key.data.ready(mask)
        self.now = time.monotonic()
        while self.timers and self.timers[0][0] <= self.now:
            _, _, task, arguments = heapq.heappop(self.timers)
            task(*arguments)


class Side:
    """One server, its clients, and what was found wrong with it."""

    most = 20  # complaints that are kept
    patience = 30  # seconds without news after which a client is given up

    def __init__(self, engine, server, rng):
        self.engine = engine
        self.server = server
        self.rng = rng
        self.clients = set()
        self.finishing = False
        self.complaints = []
        self.wrong = 0
        self.figures = dict.fromkeys(["connections", "resets", "half-closes", "bytes",
                                      "lines", "skipped"], 0)

    def complain(self, text):
        self.wrong += 1
        if len(self.complaints) < self.most:
            self.complaints.append(f"{self.server.kind.name}: {text}")

    def count(self, what, number=1):
        self.figures[what] += number

    def finish(self):
        """Nobody comes any more; those who are there come to their end."""
        self.finishing = True

    def tend(self):
        """Now and then: give up those who wait for something that does not come."""
        for client in list(self.clients):
            if not client.stalled and self.engine.now - client.news > self.patience:
                client.abandon(f"nothing for {self.patience} s")

    def step(self):
        """After every pass of the loop."""

    def see_the_end(self):
        """The server has been told to stop."""

    def close(self):
        for client in self.clients:
            client.sock.close()

    def give_up(self):
        for client in list(self.clients):
            client.abandon("it was not done in time")
