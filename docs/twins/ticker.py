#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A line every so often: timers, and how they are cancelled.

One timer ticks, another is the deadline, and whichever ends first cancels
everything: the other one, itself, the signal handlers.  asyncio's loop goes on
with nothing left to wait for and is stopped; sel_run() returns by itself.
demo/reactor/ticker.c is the same program in C.
"""
import asyncio
import signal

from command_line import Option, number, read_command_line, seconds
from fail import print_out


class Every:
    """What sel_call_every() is in C: run n comes no earlier than start + n * interval,
    so that lateness does not add up, and runs that were missed are skipped.
    """

    def __init__(self, loop, interval, callback):
        self.loop, self.interval, self.callback = loop, interval, callback
        self.start = loop.time()
        self.runs = 0
        self.cancelled = False
        self.call_again()

    def call_again(self):
        missed = int((self.loop.time() - self.start) / self.interval)
        self.runs = max(self.runs, missed) + 1
        self.timer = self.loop.call_at(self.start + self.runs * self.interval, self.run)

    def run(self):
        self.callback()
        if not self.cancelled:
            self.call_again()

    def cancel(self):
        self.cancelled = True
        self.timer.cancel()


class Ticker:
    def __init__(self, loop, options):
        self.loop = loop
        self.count = options.count
        self.ticks = 0
        self.start = loop.time()
        self.timer = Every(loop, options.interval, self.tick)
        self.deadline = None
        if options.seconds is not None:
            self.deadline = loop.call_later(options.seconds, self.end, "time is up")
        loop.add_signal_handler(signal.SIGINT, self.end, "SIGINT")
        loop.add_signal_handler(signal.SIGTERM, self.end, "SIGTERM")

    def elapsed(self):
        return self.loop.time() - self.start

    def end(self, why):
        print_out(f"{self.elapsed():.3f}  {why}\n")
        self.timer.cancel()
        if self.deadline is not None:
            self.deadline.cancel()
        self.loop.remove_signal_handler(signal.SIGINT)
        self.loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # no exception for a second one
        self.loop.stop()

    def tick(self):
        """The last tick cancels the timer that it runs for."""
        self.ticks += 1
        print_out(f"{self.elapsed():.3f}  tick {self.ticks}\n")
        if self.ticks == self.count:
            self.end("done")


def main():
    options = read_command_line("Print a line at regular intervals.", [
        Option("i", "interval", "SECONDS", "the time between two lines (1)", 1, seconds),
        Option("c", "count", "N", "end after N lines (never)", None, number(1, 1000000)),
        Option("f", "for", "SECONDS", "end after SECONDS (never)", None, seconds),
    ])
    options.seconds = getattr(options, "for")  # a keyword
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end as other filters do
    loop = asyncio.new_event_loop()
    Ticker(loop, options)

    loop.run_forever()

    loop.close()


if __name__ == "__main__":
    main()
