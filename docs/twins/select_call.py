#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""select.select() itself, case by case: what goes in, what comes out, how long it
waits, what it can't be used on.  demo/lessons/09_select_call.c is the same program in
C; what both print is the same.

select(2) under it takes three bitmaps of FD_SETSIZE bits, overwrites them with the
answer and stops at every signal; select.select() makes lists of them and goes on.
"""
import ctypes
import errno
import fcntl
import os
import resource
import select
import signal
import socket
import tempfile
import time

from command_line import read_command_line
from fail import EXIT_FAILURE, fail, print_out
from tell import yes_or_no

FD_SETSIZE = 1024

names = {}  # what is printed must not depend on descriptors' numbers


def named(name, fd):
    names[fd] = name
    return fd


def format_list(what, fds):
    return f" {what} [{', '.join(names[fd] for fd in fds)}]"


def print_select(what, r, w, x, timeout):
    try:
        readable, writable, exceptional = select.select(r, w, x, timeout)
    except ValueError:
        print_out(f"{what}: ValueError\n")
    except OSError as error:
        print_out(f"{what}: OSError {errno.errorcode[error.errno]}\n")
    else:
        print_out(f"{what}:{format_list('readable', readable)}"
                  f"{format_list('writable', writable)}"
                  f"{format_list('exceptional', exceptional)}\n")


def three_lists():
    empty, full = os.pipe(), os.pipe()
    os.write(full[1], b"data")
    quiet, data = named("quiet pipe", empty[0]), named("pipe with data", full[0])
    end = named("write end", empty[1])

    print_out("three lists in, three lists out\n")
    print_select("some are ready", [quiet, data], [end], [quiet, data], None)
    print_select("twice in, twice out", [data, quiet, data], [], [], 0)
    print_select("it is told again", [data], [], [], 0)
    os.read(data, 4)
    print_select("until it is read", [data], [], [], 0)
    os.close(end)
    print_select("the other end is closed", [quiet], [], [], 0)
    print_select("the end stays readable", [quiet], [], [], 0)


alarms = 0
alarm_pipe = None


def on_alarm(signum, frame):
    global alarms
    alarms += 1
    os.write(alarm_pipe[1], b"!")


def count_alarm(signum, frame):
    global alarms
    alarms += 1


def set_alarm(handler, interval=0):
    """Have SIGALRM handled by `handler` in 50 ms, and then every `interval` seconds; 0:
    only once.
    """
    global alarms
    alarms = 0
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05, interval)


def timeouts():
    global alarm_pipe
    alarm_pipe = os.pipe()
    told = named("alarm pipe", alarm_pipe[0])

    print_out("\ntimeouts\n")
    print_select("0 only looks", [told], [], [], 0)
    start = time.monotonic()
    print_select("0.1 waits so long", [told], [], [], 0.1)
    print_out(f"it was early: {yes_or_no(time.monotonic() - start < 0.1)}\n")
    start = time.monotonic()
    print_select("three empty lists wait too", [], [], [], 0.1)
    print_out(f"it was early: {yes_or_no(time.monotonic() - start < 0.1)}\n")
    set_alarm(on_alarm)
    print_select("None waits until something is ready", [told], [], [], None)


def system_select():
    """select(2) without what select.select() does around it."""
    class Timeval(ctypes.Structure):
        _fields_ = [("tv_sec", ctypes.c_long), ("tv_usec", ctypes.c_long)]

    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.select(0, None, None, None, ctypes.byref(Timeval(10, 0))) < 0
    return failed and ctypes.get_errno() == errno.EINTR


def interruptions():
    print_out("\na signal while it waits\n")
    set_alarm(count_alarm)
    start = time.monotonic()
    print_select("0.15, a signal after 0.05", [], [], [], 0.15)
    early = time.monotonic() - start < 0.15
    print_out(f"signals: {alarms}, it was early: {yes_or_no(early)}\n")
    set_alarm(count_alarm, 0.05)  # again, should the first come before the wait
    interrupted = system_select()
    signal.setitimer(signal.ITIMER_REAL, 0)
    print_out(f"select(2) itself: {'EINTR' if interrupted else 'no error'}\n")


def tcp_pair():
    """A connected pair over TCP: only that has urgent bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        return client, listener.accept()[0]


def exceptional():
    client, sock = tcp_pair()
    conn = named("connection", sock.fileno())

    print_out("\nthe third list\n")
    print_select("a fresh connection", [conn], [conn], [conn], 0)
    client.send(b"!", socket.MSG_OOB)
    print_select("an urgent byte", [conn], [], [conn], None)
    sock.recv(1, socket.MSG_OOB)
    print_select("the byte is taken", [conn], [], [conn], 0)
    client.close()
    print_select("the client has gone", [conn], [], [conn], None)
    sock.detach()  # left open, as in C


def high_descriptor():
    """A descriptor that an fd_set has no bit for."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        return fcntl.fcntl(0, fcntl.F_DUPFD, FD_SETSIZE)
    except OSError as error:
        return fail(EXIT_FAILURE, f"cannot make high: {error.strerror}")


def no_good():
    file = tempfile.TemporaryFile()
    empty_file = named("empty file", file.fileno())
    directory = named("directory", os.open("/", os.O_RDONLY | os.O_DIRECTORY))
    null = named("/dev/null", os.open(os.devnull, os.O_RDWR))
    closed = os.dup(0)
    os.close(closed)

    print_out("\nwhat it can't be used on\n")
    print_select("a negative number", [-1], [], [], 0)
    print_select("a closed descriptor", [closed], [], [], 0)
    print_select(f"a descriptor of {FD_SETSIZE} or more",
                 [named("high", high_descriptor())], [], [], 0)
    print_out("what is always ready, and so tells nothing\n")
    print_select("a file without a byte to read", [empty_file], [empty_file], [], None)
    print_select("a directory and /dev/null", [directory, null], [null], [], None)


def main():
    read_command_line("Try select.select() case by case.", [])
    three_lists()
    timeouts()
    interruptions()
    exceptional()
    no_good()


if __name__ == "__main__":
    main()
