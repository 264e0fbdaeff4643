#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a command with a deadline: every line that it writes with the time and the
stream it came from, and the exit codes of timeout(1).

One loop waits for all of it: the command's two pipes and our stdout, the command's
exit, the deadline and signals.  demo/reactor/deadline.c is the same program in C.

A command's exit and the end of its output come in any order, and only when both are
there has all been seen.  It runs in a session of its own, so that whatever it has
started ends with it.

What the program was started with goes to the command, but for SIGPIPE and SIGXFSZ: Python
ignores them before the program begins and does not tell what they were.
"""
import asyncio
import contextlib
import getopt
import os
import signal
import sys
from subprocess import PIPE

from command_line import Option, read_command_line, seconds
from fail import EXIT_FAILURE, EXIT_USAGE, fail, print_line

EXIT_TIMED_OUT, EXIT_CANNOT_RUN, EXIT_NOT_FOUND = 124, 126, 127
WRITE_SIZE = 4096  # PIPE_BUF
LONGEST_LINE = 16 * 1024  # a longer one is cut
HIGH_WATER = 64 * 1024


class Start:
    """The signals that the program handles for itself, as it was started with them."""

    HANDLED = {signal.SIGCHLD, signal.SIGINT, signal.SIGTERM}

    def __init__(self):
        self.ignored = {signum for signum in self.HANDLED
                        if signal.getsignal(signum) == signal.SIG_IGN}
        self.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])

    def take_over(self):
        """An ignored SIGCHLD would have the kernel wait for the command."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.HANDLED)

    def hand_down(self):
        """In the command's process, before it is the command."""
        for signum in self.ignored:
            signal.signal(signum, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.blocked)


class Outlet:
    """stdout.  A write() to a pipe that nobody reads does not return, and neither
    timers nor signals would be served: so what it does not take at once is queued.
    """

    def __init__(self, loop, changed):
        self.loop = loop
        self.changed = changed  # is called when the queue is shorter or stdout has failed
        self.queue = bytearray()
        self.broken = False  # it takes no more, and what comes is dropped
        self.always_ready = False
        try:
            loop.add_writer(1, self.write)
        except PermissionError:  # a file or the like: there is nothing to wait for
            self.always_ready = True
        self.watch()

    def print(self, line):
        if self.broken:
            return
        self.queue += line
        while self.always_ready and self.queue:
            self.write_some()
        self.watch()

    def watch(self):
        if self.queue and not self.always_ready:
            self.loop.add_writer(1, self.write)
        elif not self.always_ready:
            self.loop.remove_writer(1)

    def write_some(self):
        """A pipe that is writable takes WRITE_SIZE bytes at once, but not always more."""
        try:
            del self.queue[:os.write(1, self.queue[:WRITE_SIZE])]
        except BlockingIOError:
            pass
        except OSError as error:
            print_line(f"cannot write to stdout: {error.strerror}")
            self.broken = True
            self.queue.clear()

    def write(self):
        self.write_some()
        self.watch()
        self.changed()


class Child(asyncio.SubprocessProtocol):
    def __init__(self, loop, options):
        self.loop, self.grace = loop, options.grace
        self.outlet = Outlet(loop, self.outlet_changed)
        self.finished = loop.create_future()
        self.pid = None
        self.pipes = {}  # those that have not ended
        self.lines = {1: bytearray(), 2: bytearray()}
        self.steps = 0  # taken to end it
        self.timed_out = self.exited = False
        self.status = 0  # once it has exited; negative: a signal
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signum, self.send_signal, signum)
        self.start = loop.time()
        self.timer = None
        if options.timeout is not None:
            self.timer = loop.call_later(options.timeout, self.time_is_up)

    def say(self, name, text):
        self.outlet.print(b"%.3f %s: %s\n" % (self.loop.time() - self.start, name, text))

    def send_signal(self, signum):
        """To the whole session; what is stopped has to go on to notice."""
        if self.pid is None:  # it is being started
            self.loop.call_soon(self.send_signal, signum)
            return
        self.say(b"sig", signum.name.encode())
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signum)
            os.killpg(self.pid, signal.SIGCONT)

    def time_is_up(self):
        """First ask; after the grace period kill; after another one stop waiting:
        whatever holds the pipes has left the session, or nobody reads our stdout.
        """
        self.timed_out |= not self.exited
        self.steps += 1
        if self.steps > 2:
            self.finish()
            return
        self.send_signal(signal.SIGTERM if self.steps == 1 else signal.SIGKILL)
        self.timer = self.loop.call_later(self.grace, self.time_is_up)

    def finish(self):
        if not self.finished.done():
            self.finished.set_result(None)

    def is_over(self):
        return self.exited and not self.pipes

    def end_if_over(self):
        """What is still queued for stdout is then all that is left to wait for."""
        if not self.is_over():
            return
        self.say(b"end", b"killed by signal %d" % -self.status if self.status < 0
                 else b"exit code %d" % self.status)
        if self.timer is not None:
            self.timer.cancel()
        for signum in (signal.SIGINT, signal.SIGTERM):
            self.loop.remove_signal_handler(signum)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        self.outlet_changed()

    def outlet_changed(self):
        """Without a stdout the command has to end."""
        if self.is_over():
            if not self.outlet.queue:
                self.finish()
        elif self.outlet.broken and self.steps == 0:
            if self.timer is not None:
                self.timer.cancel()
            self.time_is_up()
        for pipe in self.pipes.values():
            if len(self.outlet.queue) < HIGH_WATER:
                pipe.resume_reading()
            else:
                pipe.pause_reading()

    def say_lines(self, fd):
        """The lines that are complete; of a pipe that has ended, the last one too."""
        line = self.lines[fd]
        while line:
            size = line.find(b"\n", 0, LONGEST_LINE)
            if size < 0 and len(line) < LONGEST_LINE and fd in self.pipes:
                return
            end = size + 1 if size >= 0 else min(len(line), LONGEST_LINE)
            self.say(b"out" if fd == 1 else b"err", line[:size if size >= 0 else end])
            del line[:end]

    def connection_made(self, transport):
        self.transport, self.pid = transport, transport.get_pid()
        self.pipes = {fd: transport.get_pipe_transport(fd) for fd in (1, 2)}

    def pipe_data_received(self, fd, data):
        self.lines[fd] += data
        self.say_lines(fd)
        self.outlet_changed()

    def pipe_connection_lost(self, fd, error):
        self.pipes.pop(fd)
        self.say_lines(fd)
        self.end_if_over()

    def process_exited(self):
        self.exited = True
        self.status = self.transport.get_returncode()
        self.end_if_over()

    def exit_code(self):
        if self.outlet.broken:
            return EXIT_FAILURE
        if self.timed_out and self.status != -signal.SIGKILL:
            return EXIT_TIMED_OUT
        return 128 - self.status if self.status < 0 else self.status


def find_command():
    """Where the command begins: behind the options and their values."""
    try:
        rest = getopt.getopt(sys.argv[1:], "t:g:hV",
                             ["timeout=", "grace=", "help", "version"])[1]
    except getopt.GetoptError:  # read_command_line() says what is wrong
        return len(sys.argv)
    return len(sys.argv) - len(rest)


async def run(loop, child, command, start):
    start.take_over()
    try:
        await loop.subprocess_exec(lambda: child, *command, stdin=None, stdout=PIPE,
                                   stderr=PIPE, start_new_session=True,
                                   preexec_fn=start.hand_down)
    except OSError as error:
        not_found = isinstance(error, FileNotFoundError)
        fail(EXIT_NOT_FOUND if not_found else EXIT_CANNOT_RUN,
             f"cannot run '{command[0]}': {error.strerror}")
    await child.finished


def main():
    start = Start()
    first = find_command()
    command = sys.argv[first:]
    del sys.argv[first:]
    options = read_command_line("Run a COMMAND [ARGUMENT]... with a deadline.", [
        Option("t", "timeout", "SECONDS", "send SIGTERM after SECONDS (never)", None,
               seconds),
        Option("g", "grace", "SECONDS", "send SIGKILL SECONDS after that (5)", 5,
               seconds),
    ])
    if not command:
        fail(EXIT_USAGE, "there is no command to run")
    loop = asyncio.new_event_loop()
    child = Child(loop, options)

    loop.run_until_complete(run(loop, child, command, start))

    child.transport.close()
    loop.close()
    sys.exit(child.exit_code())


if __name__ == "__main__":
    main()
