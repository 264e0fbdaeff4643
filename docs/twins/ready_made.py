#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the lessons on processes make by hand, ready-made: multiprocessing's Process, Queue,
Pipe, Value, Manager and Pool.

Its lines are those of the C programs processes, between_processes, shared_memory and pool
for the same parts.  Children are forked here as they are there; which way is the default
depends on the system and on Python's version, and `spawn` and `forkserver` start a child
from nothing, which gets its arguments pickled.  So they are functions at the top of the
file, and the main program is below `if __name__ == "__main__"`.
"""
import multiprocessing
import os
import sys
import time
from functools import partial

from command_line import read_command_line
from fail import print_out

ADDERS, ADDITIONS, MANAGED = 4, 1000, 10
WORKERS, TASKS, SECONDS = 5, 10, 0.1

PURPOSE = "What multiprocessing has ready-made."

context = multiprocessing.get_context("fork")


def end_with(status):
    sys.exit(status)


def processes():
    """Process is a fork, its function, and a waitpid()."""
    children = [context.Process(target=end_with, args=(number,)) for number in (1, 2)]
    children.append(context.Process(target=time.sleep, args=(3600,)))
    for child in children:
        child.start()
    children[2].terminate()  # SIGTERM
    for number, child in enumerate(children, 1):
        child.join()
        code = child.exitcode  # a signal's number is negative
        how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
        print_out(f"child {number} {how}\n")


def exchange(pipe):
    pipe.send((11, "hello from the child"))
    pipe.send((22, "hello again"))
    number, text = pipe.recv()
    pipe.send((number + 1, text))


def pipe_carries():
    """Pipe is a pair of sockets that knows where a message ends; what it carries is pickled.
    """
    ours, theirs = context.Pipe()
    child = context.Process(target=exchange, args=(theirs,))
    child.start()
    ours.send((20, "hello from the parent"))
    for _ in range(3):
        number, text = ours.recv()
        print_out(f"a pair carries: {number} '{text}'\n")
    child.join()


def put_sum(queue, first):
    queue.put(sum(range(first, first + ADDITIONS)))


def queue_collects():
    """Queue is a pipe that several write to and read from, with a lock at each end."""
    queue = context.Queue()
    children = [context.Process(target=put_sum, args=(queue, i * ADDITIONS))
                for i in range(ADDERS)]
    for child in children:
        child.start()
    total = sum(queue.get() for _ in children)  # before join(): see the lesson
    for child in children:
        child.join()
    print_out(f"a pipe collects: {ADDERS} processes have summed up {total}\n")


def add(counter):
    for _ in range(ADDITIONS):
        with counter.get_lock():
            counter.value += 1


def memory_is_shared():
    """Value is a number in memory that all have mapped, and a lock."""
    counter = context.Value("i", 0)
    children = [context.Process(target=add, args=(counter,)) for _ in range(ADDERS)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    print_out(f"memory is shared: {ADDERS} processes have added {ADDITIONS} each:"
              f" {counter.value}\n")


def use_manager(counts, numbers, lock, number):
    numbers.append(number)
    with lock:  # a manager carries out one call at a time, and this is two
        counts["processes"] = counts.get("processes", 0) + 1
    with lock:
        counts["sum"] = counts.get("sum", 0) + number


def manager_keeps():
    """Manager is a process that has the dict and the list; others have proxies."""
    with context.Manager() as manager:
        counts, numbers, lock = manager.dict(), manager.list(), manager.Lock()
        children = [context.Process(target=use_manager, args=(counts, numbers, lock, number))
                    for number in range(1, MANAGED + 1)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        shown = ", ".join(f"{key}: {value}" for key, value in sorted(counts.items()))
        print_out(f"a manager keeps: {{{shown}}}\n")
        print_out(f"a manager keeps, in the order they came: {list(numbers)}\n")


def work(task):
    """In a worker."""
    time.sleep(SECONDS)
    return task, task + 100, os.getpid()


def print_result(how, result):
    task, value, pid = result
    print_out(f"{how}: task {task} gave {value}, from process {pid}\n")


def pool_works():
    print_out(f"main: process {os.getpid()}\n")
    pool = context.Pool(WORKERS)
    start = time.monotonic()
    for task in range(TASKS):
        print_result("apply", pool.apply(work, (task,)))
    applied_all = time.monotonic()
    for task in range(TASKS):
        pool.apply_async(work, (task,), callback=partial(print_result, "callback"))
    print_out("apply_async: all tasks are handed in\n")
    pool.close()
    try:
        pool.apply_async(work, (TASKS,))
    except ValueError:
        print_out("close: no more tasks are taken\n")
    pool.join()
    print_out("join: all workers have ended\n")
    print_out(f"apply took {applied_all - start:.2f} s,"
              f" apply_async {time.monotonic() - applied_all:.2f} s\n")


def main():
    read_command_line(PURPOSE, [])
    processes()
    pipe_carries()
    queue_collects()
    memory_is_shared()
    manager_keeps()
    pool_works()


if __name__ == "__main__":
    main()
