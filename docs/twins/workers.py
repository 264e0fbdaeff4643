#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Work on other threads, its progress and its results in the loop.

Pool threads count primes.  They touch nothing of the loop's: what they report
comes as callbacks, which run on the loop's thread, so that nothing here needs a lock.
(Python's threads compute in turn, one at a time; the loop is served meanwhile all the
same.)  demo/reactor/workers.c is the same program in C.
"""
import asyncio
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from command_line import Option, number, read_command_line
from fail import print_out

PARTS = 100  # a job reports its progress so often
DRAW_SECONDS = 0.1
ERASE_LINE = "\r\033[K"


def is_prime(n):
    if n < 4 or n % 2 == 0:
        return n in (2, 3)
    divisor = 3
    while divisor * divisor <= n:
        if n % divisor == 0:
            return False
        divisor += 2
    return True


def divide(size, i, n):
    """Where part i of n begins when the numbers 1 to `size` are divided."""
    return size * i // n + 1


class Job:
    def __init__(self, number, numbers):
        self.number = number
        self.numbers = numbers
        self.primes = None  # None: cancelled before it began


class Crew:
    def __init__(self, loop, options):
        self.loop = loop
        self.jobs, self.upto = options.jobs, options.upto
        self.pool = ThreadPoolExecutor(options.threads)
        self.stopping = False  # the one thing that the threads look at
        self.parts = 0  # done, of all jobs
        self.ended = self.counted = 0  # jobs
        self.primes = 0
        self.draws = os.isatty(2)
        self.colour = not os.environ.get("NO_COLOR")
        self.drawing = None

    def part_done(self):
        self.parts += 1

    def count_primes(self, job):
        """On a pool thread."""
        if self.stopping:
            return
        first, size = job.numbers.start, len(job.numbers)
        primes, n = 0, first
        for part in range(1, PARTS + 1):
            end = first - 1 + divide(size, part, PARTS)
            primes += sum(map(is_prime, range(n, end)))
            n = end
            self.loop.call_soon_threadsafe(self.part_done)
        job.primes = primes

    def draw(self):
        self.drawing = self.loop.call_later(DRAW_SECONDS, self.draw)
        bold, plain = ("\033[1;32m", "\033[0m") if self.colour else ("", "")
        percent = 100 * self.parts // (PARTS * self.jobs)
        os.write(2, f"{ERASE_LINE}{bold}{percent:3} %{plain}  "
                    f"{self.ended} of {self.jobs} jobs".encode())

    def forget_signals(self):
        """From then on a second Ctrl-C ends the program as it ends any other."""
        self.loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # and not by an exception
        self.loop.remove_signal_handler(signal.SIGTERM)

    def stop(self):
        """SIGINT, SIGTERM: what has not started does not start, what runs is waited
        for.
        """
        self.stopping = True
        self.forget_signals()

    def print_result(self, job):
        if self.draws:
            os.write(2, ERASE_LINE.encode())
        if job.primes is None:
            print_out(f"job {job.number}: cancelled\n")
        else:
            print_out(f"job {job.number}: {job.primes} primes from "
                      f"{job.numbers.start} to {job.numbers.stop - 1}\n")

    def job_done(self, job, future):
        future.result()  # raises what the job has raised
        if job.primes is not None:
            self.counted += 1
            self.primes += job.primes
        self.print_result(job)
        self.ended += 1
        if self.ended == self.jobs:
            if self.drawing is not None:
                self.drawing.cancel()
            self.forget_signals()
            self.loop.stop()

    def start(self):
        self.loop.add_signal_handler(signal.SIGINT, self.stop)
        self.loop.add_signal_handler(signal.SIGTERM, self.stop)
        if self.draws:
            self.drawing = self.loop.call_later(DRAW_SECONDS, self.draw)
        for i in range(self.jobs):
            job = Job(i + 1, range(divide(self.upto, i, self.jobs),
                                   divide(self.upto, i + 1, self.jobs)))
            future = self.loop.run_in_executor(self.pool, self.count_primes, job)
            future.add_done_callback(partial(self.job_done, job))

    def print_sum(self):
        if self.counted == self.jobs:
            print_out(f"{self.primes} primes up to {self.upto}\n")
        else:
            print_out(f"stopped: {self.counted} of {self.jobs} jobs counted\n")


def main():
    options = read_command_line("Count primes on several threads.", [
        Option("j", "jobs", "N", "how many jobs (8)", 8, number(1, 1000)),
        Option("u", "upto", "N", "count the primes up to N (2000000)", 2000000,
               number(1000, 9999999)),
        Option("t", "threads", "N", "how many threads (4)", 4, number(1, 64)),
    ])
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end as other filters do
    # With every system call the loop gives the interpreter away, and has it back after
    # so long.  At the usual 5 ms the threads would always have reported again by then,
    # and asyncio reads its wake-ups until there is none.
    sys.setswitchinterval(0.0002)
    loop = asyncio.new_event_loop()
    crew = Crew(loop, options)
    crew.start()

    loop.run_forever()  # until the last job is done

    crew.print_sum()
    crew.pool.shutdown()
    loop.close()


if __name__ == "__main__":
    main()
