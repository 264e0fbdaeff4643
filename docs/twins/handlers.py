# SPDX-License-Identifier: MIT
"""Signal handlers and timers for a loop: what sel_add_signal_handler() and
sel_call_later() are in C.

Nothing is called from the signal itself: it writes its number to a socket, which
the loop selects on as on any other, and run() calls the handler.
"""
import contextlib
import signal
import socket
import time


class Handlers:
    def __init__(self):
        self.signals = {}
        self.timers = []
        self.numbers, self.told = socket.socketpair()
        self.numbers.setblocking(False)
        self.told.setblocking(False)
        signal.set_wakeup_fd(self.told.fileno(), warn_on_full_buffer=False)

    def fileno(self):
        return self.numbers.fileno()

    def add_signal_handler(self, signum, callback):
        self.signals[signum] = callback
        signal.signal(signum, lambda signum, frame: None)

    def call_later(self, delay, callback):
        self.timers.append((time.monotonic() + delay, callback))

    def timeout(self):
        """How long select() may wait; None: there is no timer."""
        if not self.timers:
            return None
        return max(0, min(when for when, _ in self.timers) - time.monotonic())

    def run(self):
        """Call the handlers of the signals that came and the timers that are due."""
        numbers = b""
        with contextlib.suppress(BlockingIOError):
            numbers = self.numbers.recv(4096)
        for signum in numbers:
            self.signals[signum]()
        now = time.monotonic()
        due = [callback for when, callback in self.timers if when <= now]
        self.timers = [timer for timer in self.timers if timer[0] > now]
        for callback in due:
            callback()
