# SPDX-License-Identifier: MIT
"""What is recorded on a busy machine shows the machine: such a run is made once more.

A run's maker returns what came of it and a complaint, or None.  Where times are recorded
one complaint is that others took the CPU meanwhile, unless the run before gave the same
figures.
"""
import os
import sys
import time
from pathlib import Path

ATTEMPTS, PAUSE = 20, 3  # seconds between two of them
ALLOWED = 0.1  # of one CPU: what others may take
ALIKE = 0.2  # two figures that differ by no more
USER, NICE, SYSTEM, STEAL = 0, 1, 2, 7  # columns of /proc/stat; interrupts may be our own


def used_by_all():
    """Seconds of CPU time since the machine was started."""
    columns = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    ticks = sum(int(columns[i]) for i in (USER, NICE, SYSTEM, STEAL))
    return ticks / os.sysconf("SC_CLK_TCK")


def used_by_us():
    """By this process and the children that have ended."""
    return sum(os.times()[:4])


class Watch:
    """Others, from here to complaint()."""

    def __init__(self):
        self.began = time.monotonic()
        self.before = used_by_all() - used_by_us()

    def complaint(self):
        share = (used_by_all() - used_by_us() - self.before) / (time.monotonic() - self.began)
        return f"others took {share:.0%} of a CPU" if share > ALLOWED else None


def are_alike(figures, others):
    """Each within a fifth of the other's: what comes twice is the machine's own."""
    return len(figures) == len(others) and all(
        abs(one - other) <= ALIKE * max(one, other) for one, other in zip(figures, others))


def made_at_rest(what, make):
    """What make() gives once it has no complaint; else the program's end."""
    for attempt in range(ATTEMPTS):
        result, complaint = make()
        if complaint is None:
            return result
        print(f"{what}: {complaint}; once more", file=sys.stderr)
        time.sleep(PAUSE)
    sys.exit(f"{what}: not recorded: {complaint}")
