#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Three tasks, each working and waiting by turns, done in three ways: one after another,
a thread for each, and events in one thread.  A picture shows who waits when.

  #  works   .  waits for something   -  could go on, but it is not its turn

Work here is a loop that computes, and with threads only one at a time does, for they
share the interpreter's lock (unless this Python was built without one); a wait is a time
that passes.  Each task writes only its own row of the picture.
demo/lessons/15_three_tasks.c is the same program in C.
"""
import threading
import time
from functools import partial
from selectors import EVENT_READ, DefaultSelector

import command_line
from command_line import Option, read_command_line
from fail import print_out
from handlers import Handlers

TASKS, STEPS, COLUMNS = 3, 3, 72
WAIT_UNITS = (3, 4, 5)  # after each step but the last

PURPOSE = "Three tasks in three ways: who waits when."
OPTIONS = [Option("u", "unit", "SECONDS", "how long a step and a column are (0.02)", 0.02,
                  command_line.seconds)]

unit = 0.02
began = 0


class Task:
    def __init__(self, number):
        self.number = number
        self.steps = []  # due, start, end


def now():
    return time.monotonic() - began


def compute():
    """One unit of the CPU's time: a second thread makes it take longer."""
    end = time.thread_time() + unit
    while time.thread_time() < end:
        pass


def do_step(task, due):
    """Returns how long to wait before the next step; None: it was the last."""
    start = now()
    compute()
    task.steps.append((due, start, now()))
    return WAIT_UNITS[task.number] * unit if len(task.steps) < STEPS else None


def run_task(task):
    due = 0
    while (wait := do_step(task, due)) is not None:
        due = now() + wait
        time.sleep(wait)


def one_after_another(tasks):
    for task in tasks:
        run_task(task)


def threads(tasks):
    running = [threading.Thread(target=run_task, args=(task,)) for task in tasks]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def events(tasks):
    sel, handlers = DefaultSelector(), Handlers()
    sel.register(handlers, EVENT_READ)

    def step(task):
        """A callback does one step and says when the next is due; the loop waits for
        all.
        """
        due = task.steps[-1][2] + WAIT_UNITS[task.number] * unit if task.steps else 0
        wait = do_step(task, due)
        if wait is not None:
            handlers.call_later(wait, partial(step, task))

    for task in tasks:
        handlers.call_later(0, partial(step, task))
    while (timeout := handlers.timeout()) is not None:
        sel.select(timeout)
        handlers.run()
    sel.close()


def state_at(task, when):
    for due, start, end in task.steps:
        if when < due:
            return "."
        if when < start:
            return "-"
        if when < end:
            return "#"
    return " "


def show(how, run):
    global began
    tasks = [Task(i) for i in range(TASKS)]
    began = time.monotonic()
    run(tasks)
    seconds = now()
    print_out(f"{how}: {seconds:.2f} s\n")
    for task in tasks:
        columns = min(COLUMNS, int(seconds / unit + 0.5))
        row = "".join(state_at(task, (k + 0.5) * unit) for k in range(columns))
        print_out(f"  task {task.number + 1} |{row}|\n")


def main():
    global unit
    unit = read_command_line(PURPOSE, OPTIONS).unit
    show("one after another", one_after_another)
    show("threads", threads)
    show("events", events)


if __name__ == "__main__":
    main()
