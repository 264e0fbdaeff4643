#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A pool of worker processes: apply() waits for one result, apply_async() hands a task
in and goes on; its callback runs here, in the parent, when the result has come.

A worker has one task at a time; the rest wait in the pool.  close() takes no more
tasks, and workers end when nothing is left for them; join() waits until they have:
without it the program would end before its results.  A worker that dies loses its task,
which is reported.  multiprocessing.Pool is the same with a thread where the loop is
here.  demo/lessons/19_pool.c is the same program in C.
"""
import contextlib
import errno
import os
import signal
import socket
import struct
import sys
import time
from collections import deque
from functools import partial
from selectors import EVENT_READ, DefaultSelector

import command_line
from command_line import Option, number, read_command_line
from fail import EXIT_FAILURE, fail, print_out
from handlers import Handlers
from process import run_in_child

WORKERS_MAX, TASKS_MAX = 64, 10000
TASK = struct.Struct("i")
RESULT = struct.Struct("iii")  # task, value, pid

PURPOSE = "Tasks for a pool of processes, one by one and together."
OPTIONS = [
    Option("w", "workers", "N", "how many processes (5)", 5, number(1, WORKERS_MAX)),
    Option("t", "tasks", "N", "how many tasks, each way (10)", 10,
           number(1, TASKS_MAX // 2)),
    Option("s", "seconds", "SECONDS", "how long a task takes (0.1)", 0.1,
           command_line.seconds),
]


def work(task, seconds):
    """The work: it takes its time."""
    time.sleep(seconds)
    return task + 100


def run_worker(sock, seconds, unwanted):
    # With the parent's ends of the others' pairs in here they would not see their end.
    for other in unwanted:
        other.close()
    while data := sock.recv(TASK.size, socket.MSG_WAITALL):
        task, = TASK.unpack(data)
        sock.sendall(RESULT.pack(task, work(task, seconds), os.getpid()))


class Worker:
    def __init__(self, pid, sock):
        self.pid = pid
        self.sock = sock
        self.task = None  # idle
        self.callback = None


class Pool:
    def __init__(self, count, seconds):
        self.sel = DefaultSelector()
        self.handlers = Handlers()
        self.sel.register(self.handlers, EVENT_READ, lambda: None)
        self.handlers.add_signal_handler(signal.SIGCHLD, self.reap)
        self.handlers.add_signal_handler(signal.SIGINT, self.interrupted)
        self.handlers.add_signal_handler(signal.SIGTERM, self.interrupted)
        self.workers = []
        self.next = 0  # whose turn it is
        self.waiting = deque()
        self.closed = False
        for _ in range(count):
            self.start_worker(seconds)
        self.running = count
        for worker in self.workers:
            self.sel.register(worker.sock, EVENT_READ, partial(self.take_result, worker))

    def start_worker(self, seconds):
        ours, theirs = socket.socketpair()
        unwanted = [ours] + [worker.sock for worker in self.workers]
        pid = run_in_child(run_worker, theirs, seconds, unwanted)
        theirs.close()
        self.workers.append(Worker(pid, ours))

    def end_worker(self, worker):
        self.sel.unregister(worker.sock)
        worker.sock.close()

    def give_task(self, worker):
        """Give the worker the task that waits; if none will ever come, let it end."""
        worker.task = None
        if self.waiting:
            worker.task, worker.callback = self.waiting.popleft()
            with contextlib.suppress(BrokenPipeError):  # if it is gone, we are told
                worker.sock.sendall(TASK.pack(worker.task))
        elif self.closed:
            self.end_worker(worker)

    def take_result(self, worker):
        task, callback = worker.task, worker.callback
        try:
            data = worker.sock.recv(RESULT.size, socket.MSG_WAITALL)
        except ConnectionResetError:
            data = b""
        if data:
            _, value, _ = RESULT.unpack(data)
            self.give_task(worker)
        else:
            value = None
            self.end_worker(worker)
        if task is not None:
            callback(task, value, worker.pid)

    def reap(self):
        """SIGCHLD"""
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                self.running -= 1
        while self.waiting and not self.running:
            task, callback = self.waiting.popleft()
            callback(task, None, 0)

    def interrupted(self):
        for worker in self.workers:
            if worker.sock.fileno() >= 0:  # else it ends, and its number may be another's
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGTERM)

    def look(self):
        for key, _ in self.sel.select():
            if key.fd in self.sel.get_map():
                key.data()
        self.handlers.run()

    def apply_async(self, task, callback):
        if self.closed:
            raise ValueError("the pool is closed")
        in_turn = self.workers[self.next:] + self.workers[:self.next]
        left = [worker for worker in in_turn if worker.sock.fileno() >= 0]
        idle = [worker for worker in left if worker.task is None]
        if not left:
            raise ChildProcessError(errno.ECHILD, os.strerror(errno.ECHILD))
        self.waiting.append((task, callback))
        if idle:
            self.next = self.workers.index(idle[0]) + 1
            self.give_task(idle[0])

    def apply(self, task):
        """Nothing else happens in this process until the result has come: that is why
        several run one after another.
        """
        result = []
        self.apply_async(task, lambda *given: result.append(given))
        while not result:
            self.look()
        return result[0]

    def close(self):
        self.closed = True
        for worker in self.workers:
            if worker.task is None and worker.sock.fileno() >= 0:
                self.end_worker(worker)

    def join(self):
        while self.running:
            self.look()
        self.sel.close()


def main():
    options = read_command_line(PURPOSE, OPTIONS)
    lost = 0

    def print_result(how, task, value, pid):
        nonlocal lost
        if value is None:
            lost += 1
            print_out(f"{how}: task {task} was lost with its worker\n")
        else:
            print_out(f"{how}: task {task} gave {value}, from process {pid}\n")

    print_out(f"main: process {os.getpid()}\n")
    pool = Pool(options.workers, options.seconds)

    start = time.monotonic()
    try:
        for task in range(options.tasks):
            print_result("apply", *pool.apply(task))
        applied_all = time.monotonic()
        for task in range(options.tasks):
            pool.apply_async(task, partial(print_result, "callback"))
    except ChildProcessError as error:
        fail(EXIT_FAILURE, f"cannot hand in a task: {error.strerror}")
    print_out("apply_async: all tasks are handed in\n")
    pool.close()
    try:
        pool.apply_async(options.tasks, partial(print_result, "callback"))
    except ValueError:
        print_out("close: no more tasks are taken\n")
    pool.join()
    print_out("join: all workers have ended\n")
    print_out(f"apply took {applied_all - start:.2f} s,"
              f" apply_async {time.monotonic() - applied_all:.2f} s\n")
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
