#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Memory that several processes have mapped, and a lock in it.

Nothing is sent: what one writes there, all others have.  So they must take turns.
demo/lessons/18_shared_memory.c is the same program in C.
"""
import mmap
import multiprocessing
import socket
import struct

from command_line import read_command_line
from fail import print_out
from process import receive_line, run_in_child, send_line, wait_for_all

ADDERS, ADDITIONS, PRINTERS, LINES = 4, 1000, 5, 3
COUNTER = struct.Struct("i")


def between_processes_lock():
    """A lock that works between processes: its state is in memory that all map."""
    return multiprocessing.get_context("fork").Lock()


def add(page, lock):
    for _ in range(ADDITIONS):
        with lock:  # read, add, write: three steps that nobody may enter
            counter, = COUNTER.unpack_from(page)
            COUNTER.pack_into(page, 0, counter + 1)


def memory_is_shared():
    lock = between_processes_lock()
    with mmap.mmap(-1, COUNTER.size) as page:  # a page that a fork does not copy
        for _ in range(ADDERS):
            run_in_child(add, page, lock)
        wait_for_all(ADDERS)
        counter, = COUNTER.unpack_from(page)
    print_out(f"memory is shared: {ADDERS} processes have added {ADDITIONS} each:"
              f" {counter}\n")


def print_block(lock, screen, number):
    """Several writes, as a screen gets them from several processes."""
    with lock:
        for _ in range(LINES):
            send_line(screen, str(number))


def lock_keeps_together():
    lock = between_processes_lock()
    screen, theirs = socket.socketpair()
    for number in range(1, PRINTERS + 1):
        run_in_child(print_block, lock, theirs, number)
    theirs.close()
    together = 0
    while first := receive_line(screen):
        same = 1
        while same < LINES and receive_line(screen) == first:
            same += 1
        together += same == LINES
    wait_for_all(PRINTERS)
    screen.close()
    print_out(f"a lock keeps together: {together} of {PRINTERS} blocks are whole\n")


def main():
    read_command_line("Memory that several processes share, and a lock in it.", [])
    memory_is_shared()
    lock_keeps_together()


if __name__ == "__main__":
    main()
