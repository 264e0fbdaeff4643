#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What one wait costs, by the number of descriptors watched, while one is ready.

select and poll hand all descriptors to the kernel and look through all of them every
time; epoll registers them once and returns only ready ones.  The median of many waits
is shown, because a machine that does other things too makes some of them long.
demo/lessons/20_how_many.c is the same program in C.
"""
import math
import os
import selectors
import statistics
import time
from selectors import EVENT_READ

from command_line import Option, number, read_command_line
from fail import EXIT_FAILURE, fail, print_out
from resource_limits import need_descriptors

BAR = 40
MICROSECONDS = 1e6
FAMILY = {"epoll": "EpollSelector", "poll": "PollSelector", "select": "SelectSelector"}

PURPOSE = "What one wait costs, by the number of descriptors."
OPTIONS = [
    Option("m", "most", "N", "how many descriptors at most (10000)", 10000,
           number(10, 1000000)),
    Option("w", "waits", "N", "how many waits to measure (200)", 200, number(1, 1000000)),
]


def timed_wait(sel):
    start = time.perf_counter()
    ready = sel.select()
    seconds = time.perf_counter() - start
    if len(ready) != 1:
        fail(EXIT_FAILURE, "not the one descriptor that is ready")
    return seconds


def measure(name, fds, waits):
    """None: this selector can't watch so many."""
    with getattr(selectors, FAMILY[name])() as sel:
        for fd in fds:
            sel.register(fd, EVENT_READ)
        try:
            times = [timed_wait(sel) for _ in range(waits)]
        except ValueError:
            return None
    return statistics.median(times) * MICROSECONDS


def fill_table(fds, waits):
    counts = [10]
    while counts[-1] * 10 < len(fds):
        counts.append(counts[-1] * 10)
    if counts[-1] < len(fds):
        counts.append(len(fds))
    return {count: {name: measure(name, fds[:count], waits) for name in FAMILY}
            for count in counts}


def print_table(table):
    print_out("one wait, in microseconds\n")
    print_out("descriptors" + "".join(f" {name:>10}" for name in FAMILY) + "\n")
    for count, costs in table.items():
        row = (f" {cost:10.2f}" if cost else f" {'-':>10}" for cost in costs.values())
        print_out(f"{count:11d}{''.join(row)}\n")


def print_bars(table):
    """On a logarithmic scale: every factor of ten is as long as the next."""
    print_out("the same as bars, ten of # for every factor of ten\n")
    for name in FAMILY:
        for count, costs in table.items():
            if costs[name]:
                length = round(10 * math.log10(costs[name] * 10))  # from 0.1 us on
                print_out(f"{name:>6} {count:7d} {'#' * max(1, min(BAR, length))}\n")


def main():
    options = read_command_line(PURPOSE, OPTIONS)
    need_descriptors(options.most)
    # The first is ready.
    fds = [os.eventfd(int(i == 0), os.EFD_CLOEXEC | os.EFD_NONBLOCK)
           for i in range(options.most)]
    table = fill_table(fds, options.waits)
    print_table(table)
    print_bars(table)
    for fd in fds:
        os.close(fd)


if __name__ == "__main__":
    main()
