#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Five ways to receive the same answer, and who waits for whom meanwhile.
demo/lessons/13_io_models.c is the same program in C.

Data arrives first in the kernel's memory, then in ours, so receiving has two phases:
waiting until the data is in the kernel, and copying it out of there.  The five models
differ in who waits during the first phase, and how; in all but the last, our own call
does the second.

The peer is a process that takes DELAY_MS to answer, as a distant one would.  Times are in
milliseconds since the question; no decision depends on them.
"""
import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import tempfile
import threading
import time

from command_line import read_command_line
from fail import print_out
from uring import Uring

DELAY_MS = 50
ANSWER_SIZE = 64

question_time = 0


def step(start, end, what):
    """One line of the timeline: what happened from `start` to `end`."""
    print_out(f"  {1e3 * (start - question_time):5.1f} to "
              f"{1e3 * (end - question_time):5.1f} ms  {what}\n")


def tell_phases(waiting, copying):
    print_out(f"  waiting: {waiting}; copying: {copying}\n")


def be_the_peer(sock):
    """Say that we are here; answer each question after a while, until there are no more."""
    sock.send(b"!")
    while sock.recv(1):
        time.sleep(DELAY_MS / 1e3)
        sock.send(b"answer")
    os._exit(0)


def ask(sock):
    global question_time
    question_time = time.monotonic()
    sock.send(b"?")
    return question_time


def work():
    """What the program could do instead of waiting."""
    for _ in range(100):
        continue


def blocking(sock):
    print_out("blocking\n")
    start = ask(sock)
    answer = sock.recv(ANSWER_SIZE)
    step(start, time.monotonic(), f"recv() sleeps, then copies {len(answer)} bytes")
    tell_phases("asleep in recv()", "in recv()")


def non_blocking(sock):
    print_out("non-blocking\n")
    refused, answer = 0, None
    sock.setblocking(False)
    start = ask(sock)
    while answer is None:
        try:
            answer = sock.recv(ANSWER_SIZE)
        except BlockingIOError:
            refused += 1
    step(start, time.monotonic(), f"recv() says EAGAIN, {refused} times; the last copies "
                                  f"{len(answer)} bytes")
    tell_phases("awake, asking again and again", "in recv()")
    sock.setblocking(True)


def multiplexing(sock):
    print_out("multiplexing\n")
    poller = select.poll()
    poller.register(sock, select.POLLIN)  # it could be thousands
    start = ask(sock)
    poller.poll()
    ready = time.monotonic()
    answer = sock.recv(ANSWER_SIZE)
    step(start, ready, "poll() sleeps, until one of its descriptors is ready")
    step(ready, time.monotonic(), f"recv() copies {len(answer)} bytes")
    tell_phases("asleep in poll(), for any number of peers", "in recv()")


told = False


def on_sigio(signum, frame):
    global told
    told = True


def signal_driven(sock):
    """F_SETSIG also chooses the signal; a real-time one is queued and names the
    descriptor.
    """
    global told
    print_out("signal-driven\n")
    units, answer = 0, None
    signal.signal(signal.SIGIO, on_sigio)
    fcntl.fcntl(sock, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(sock, fcntl.F_SETSIG, signal.SIGIO)
    sock.setblocking(False)
    fcntl.fcntl(sock, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)
    start = ask(sock)
    while answer is None:  # a signal is a hint: there may be nothing yet
        while not told:
            work()
            units += 1
        told = False
        signalled = time.monotonic()
        try:
            answer = sock.recv(ANSWER_SIZE)
        except BlockingIOError:
            pass
    step(start, signalled, f"the program works, {units} units, until SIGIO comes")
    step(signalled, time.monotonic(), f"recv() copies {len(answer)} bytes")
    tell_phases("the kernel; the program works", "in recv()")
    fcntl.fcntl(sock, fcntl.F_SETFL, 0)
    sock.setblocking(True)


def receive_by_thread(sock):
    """What the C library's asynchronous I/O is: a thread that blocks."""
    answers, units = [], 0
    thread = threading.Thread(target=lambda: answers.append(sock.recv(ANSWER_SIZE)))
    thread.start()
    while not answers:
        work()
        units += 1
    thread.join()
    return len(answers[0]), units


def receive_by_uring(ring, sock):
    answer, units = ctypes.create_string_buffer(ANSWER_SIZE), 0
    ring.recv(sock.fileno(), answer)
    while (size := ring.done()) is None:
        work()
        units += 1
    return size, units


def asynchronous(sock):
    try:
        ring, what = Uring(), "io_uring"
    except OSError:
        ring, what = None, "no io_uring here: a thread that reads"
    print_out(f"asynchronous ({what})\n")
    start = ask(sock)
    size, units = receive_by_uring(ring, sock) if ring else receive_by_thread(sock)
    step(start, time.monotonic(),
         f"the program works, {units} units, until it has {size} bytes")
    if ring is None:
        tell_phases("a thread; the program works", "in the thread's call")
        return
    tell_phases("the kernel; the program works", "the kernel; no call of ours")
    ring.close()


def page_cache():
    """A file's data also goes through the kernel: what was written or read lately is in
    the page cache, and reading it again waits for no disk.  RWF_NOWAIT reads only what
    is there.
    """
    page = bytearray(4096)
    print_out("the page cache\n")
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(page)
        try:
            size = os.preadv(file.fileno(), [page], 0, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                size = -1
            else:
                print_out("  this file system doesn't say what is in it\n")
                return
    print_out(f"  of {len(page)} bytes just written, read without waiting: {size}\n")


def main():
    read_command_line("Receive the same answer in five ways.", [])
    sock, other = socket.socketpair()
    peer = os.fork()
    if peer == 0:
        sock.close()
        be_the_peer(other)
    other.close()
    sock.recv(1)  # it takes the peer time to begin

    blocking(sock)
    non_blocking(sock)
    multiplexing(sock)
    signal_driven(sock)
    asynchronous(sock)
    page_cache()

    sock.close()  # the peer's end of the questions
    os.waitpid(peer, 0)


if __name__ == "__main__":
    main()
