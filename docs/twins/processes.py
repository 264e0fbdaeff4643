#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Several processes: who starts whom, a thread inside each, and how each ends.

A parent is told of a child's end by SIGCHLD and must ask for it with waitpid(), or the
child stays as a zombie.  Signals coalesce, so it asks until no other has ended.  The
child of a child that has ended gets a new parent: here this process, which has asked
for orphans.  demo/lessons/17_processes.c is the same program in C.
"""
import contextlib
import ctypes
import os
import signal
import socket
import threading
from functools import partial
from selectors import EVENT_READ, DefaultSelector

from command_line import Option, number, read_command_line
from fail import print_out
from handlers import Handlers
from process import receive_line, run_in_child, send_line

PROCESSES_MAX = 100
PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>; Python has no name for it

PURPOSE = "Start several processes and see who is whose parent."
OPTIONS = [
    Option("c", "count", "N", "how many to start (3)", 3, number(1, PROCESSES_MAX)),
]


class Child:
    def __init__(self, pid, sock):
        self.pid = pid
        self.sock = sock  # our end of a pair; its end of file tells the child to end
        self.status = None  # it runs
        self.report = ""


def run_child(sock, number, unwanted):
    for other in unwanted:
        other.close()
    thread_ids = []
    thread = threading.Thread(target=lambda: thread_ids.append(threading.get_native_id()))
    thread.start()
    thread.join()
    send_line(sock, f"child {number}: process {os.getpid()}, its parent {os.getppid()},"
                    f" threads {threading.get_native_id()} and {thread_ids[0]}")
    sock.recv(1)
    return number


def run_grandchild(sock, unwanted):
    unwanted.close()
    send_line(sock, f"grandchild: process {os.getpid()}, its parent {os.getppid()}")
    sock.recv(1)
    send_line(sock, f"grandchild: process {os.getpid()}, its parent now {os.getppid()}")


def run_middle(ours, theirs, parent_orphan, orphan):
    """In the middle process: start the orphan-to-be, and end when told to."""
    ours.close()
    parent_orphan.close()
    run_in_child(run_grandchild, orphan, theirs)
    orphan.close()
    theirs.recv(1)


class Family:
    def __init__(self, count):
        self.count = count
        self.reports = 0
        self.children = []
        self.middle = self.orphan = None  # whose child the orphan is; our end of its pair
        self.running = True
        self.sel = DefaultSelector()
        self.handlers = Handlers()

    def start_child(self, number):
        ours, theirs = socket.socketpair()
        # With our ends of the others' pairs in there they would not see their end.
        unwanted = [ours] + [child.sock for child in self.children]
        pid = run_in_child(run_child, theirs, number, unwanted)
        theirs.close()
        self.children.append(Child(pid, ours))

    def print_end(self, child, number):
        if os.WIFSIGNALED(child.status):
            print_out(f"child {number} was ended by signal"
                      f" {os.WTERMSIG(child.status)}\n")
        else:
            print_out(f"child {number} ended with {os.WEXITSTATUS(child.status)}\n")

    def print_orphan(self):
        print_out(f"{receive_line(self.orphan)}\n")

    def hear_orphan(self):
        """The grandchild has told its parent, which may end now."""
        self.print_orphan()
        self.sel.unregister(self.orphan)
        self.middle.sock.close()

    def start_grandchild(self):
        ours, theirs = socket.socketpair()
        self.orphan, its = socket.socketpair()
        pid = run_in_child(run_middle, ours, theirs, self.orphan, its)
        theirs.close()
        its.close()
        self.middle = Child(pid, ours)
        self.sel.register(self.orphan, EVENT_READ, self.hear_orphan)

    def one_ended(self, pid, status):
        for child in self.children:
            if child.pid == pid:
                child.status = status
                if all(child.status is not None for child in self.children):
                    self.all_ended()
                return
        if pid == self.middle.pid:
            self.orphan.sendall(b"!")
            self.print_orphan()
        else:
            print_out("the grandchild has ended too\n")
            self.orphan.close()
            self.running = False

    def all_ended(self):
        for number, child in enumerate(self.children, 1):
            self.print_end(child, number)
        self.start_grandchild()

    def reap(self):
        """SIGCHLD: at least one has ended."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self.one_ended(*ended)

    def let_go(self):
        """Every child but the last ends when its pair does; the last is ended by a
        signal.
        """
        for child in self.children:
            print_out(f"{child.report}\n")
        os.kill(self.children[-1].pid, signal.SIGTERM)
        for child in self.children[:-1]:
            child.sock.close()

    def hear(self, child):
        self.sel.unregister(child.sock)
        child.report = receive_line(child.sock)
        self.reports += 1
        if self.reports == self.count:
            self.let_go()

    def interrupted(self):
        """The children see the end of their pairs when this process has ended."""
        self.running = False

    def run(self):
        while self.running:
            for key, _ in self.sel.select():
                key.data()
            self.handlers.run()


def main():
    family = Family(read_command_line(PURPOSE, OPTIONS).count)
    family.sel.register(family.handlers, EVENT_READ, lambda: None)  # run() serves it
    family.handlers.add_signal_handler(signal.SIGCHLD, family.reap)
    family.handlers.add_signal_handler(signal.SIGINT, family.interrupted)
    family.handlers.add_signal_handler(signal.SIGTERM, family.interrupted)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    print_out(f"main: process {os.getpid()}\n")
    for number in range(1, family.count + 1):
        family.start_child(number)
    for child in family.children:
        family.sel.register(child.sock, EVENT_READ, partial(family.hear, child))

    family.run()

    family.sel.close()


if __name__ == "__main__":
    main()
