#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An event queue, as every window system has one: each event carries its handler, and a
loop takes them out in their order and calls it.  demo/lessons/16_event_queue.c is the
same program in C.

Lines of the standard input play the mouse and the keyboard.  They are handled twice: by
a queue and a loop written out here, then by asyncio, whose call_soon() is that queue and
whose run_forever() is that loop.  A handler may post events itself; they come after all
that were there before.
"""
import asyncio
import contextlib
import re
from collections import deque
from functools import partial

from command_line import read_command_line
from fail import EXIT_FAILURE, fail, print_out

LINE_SIZE = 80
EVENTS_MAX = 1000


class Window:
    def __init__(self, loop=None):
        self.queue = deque()
        self.loop = loop  # None: events go into the queue above
        self.waiting = 0
        self.handled = 0

    def post(self, event):
        if self.loop is None:
            self.queue.append(event)
        else:
            self.waiting += 1
            self.loop.call_soon(self.run_event, event)

    def run_event(self, event):
        event(self)
        self.handled += 1
        if self.loop is not None:
            self.waiting -= 1
            if self.waiting == 0:  # run_forever() would go on with nothing left to do
                self.loop.stop()

    def on_click(self, x, y):
        print_out(f"  on_click: at {x}, {y}\n")

    def on_double_click(self, x, y):
        print_out("  on_double_click: posts two clicks\n")
        for _ in range(2):
            self.post(partial(Window.on_click, x=x, y=y))

    def on_key_down(self, key):
        print_out(f"  on_key_down: {key}\n")


def parse_event(line):
    """The event that a line stands for, or None: a handler with its arguments."""
    if found := re.fullmatch(r"key\s*(\S)\s*", line):
        return partial(Window.on_key_down, key=found[1])
    found = re.fullmatch(r"\s*(click|double)\s+(-?[0-9]{1,3}|[0-9]{4})\s+"
                         r"(-?[0-9]{1,3}|[0-9]{4})\s*", line)
    if not found:
        return None
    handler = Window.on_click if found[1] == "click" else Window.on_double_click
    return partial(handler, x=int(found[2]), y=int(found[3]))


def read_lines():
    """Of the standard input; one that was closed from the start has none."""
    stdin = open(0, errors="surrogateescape", closefd=False)
    with contextlib.suppress(OSError):
        while line := stdin.readline(LINE_SIZE - 1):
            yield line


def read_events():
    events = []
    for line in read_lines():
        event = parse_event(line)
        if event is None:
            name = line.rstrip("\n")
            fail(EXIT_FAILURE, f"no such event: '{name}'")
        if len(events) == EVENTS_MAX:
            fail(EXIT_FAILURE, f"more than {EVENTS_MAX} events")
        events.append(event)
    return events


def run_queue(window):
    """What run_forever() is without descriptors."""
    while window.queue:
        window.run_event(window.queue.popleft())


def by_hand(events):
    window = Window()
    print_out("a queue and a loop by hand\n")
    for event in events:
        window.post(event)
    run_queue(window)
    print_out(f"  {window.handled} events\n")


def by_reactor(events):
    loop = asyncio.new_event_loop()
    window = Window(loop)
    print_out("the reactor's call_soon\n")
    for event in events:
        window.post(event)
    if events:
        loop.run_forever()
    loop.close()
    print_out(f"  {window.handled} events\n")


def main():
    read_command_line("Handle events from the standard input, one a line:\n"
                      "click X Y, double X Y or key K.", [])
    events = read_events()
    by_hand(events)
    by_reactor(events)


if __name__ == "__main__":
    main()
