#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is often written about select, poll and epoll, each put to the test: a claim,
and what was found by running something.  demo/lessons/all_claims.c is the same program
in C; what both print is the same.

What can be counted is counted.  Only what is a matter of time is timed, and then the
difference is a hundredfold.
"""
import ctypes
import fcntl
import mmap
import os
import resource
import select
import socket
import time
from pathlib import Path
from select import EPOLLET, EPOLLIN, EPOLLONESHOT, POLLIN

from command_line import read_command_line
from fail import EXIT_FAILURE, fail, print_out
from tell import error_name, outcome, yes_or_no
from uring import Uring

MESSAGES, MANY, FEW, FAR = 100, 1000, 10, 1500
FD_SETSIZE = 1024

libc = ctypes.CDLL(None, use_errno=True)


def claim(text):
    print_out(f"claim: {text}\n")


def found(text):
    print_out(f"found: {text}\n")


def readable_eventfd():
    """A descriptor that is readable for good."""
    return os.eventfd(1)


def count_maps(name):
    """How many of the process's memory maps are named so."""
    return sum(name in line for line in Path("/proc/self/maps").read_text().splitlines())


def open_uring():
    try:
        return Uring()
    except OSError:
        return None


def epoll_shares_memory():
    claim("epoll shares memory with the kernel by mmap()")
    epoll, fd = select.epoll(), readable_eventfd()
    epoll.register(fd, EPOLLIN)
    epoll.poll(None, 1)
    error = outcome(mmap.mmap, epoll.fileno(), 4096, mmap.MAP_SHARED, mmap.PROT_READ)
    found(f"in /proc/self/maps are {count_maps('eventpoll')} maps of an epoll in use, "
          f"and mmap() of one: {error}")
    ring = open_uring()
    found(f"io_uring does share memory, here: {yes_or_no(count_maps('io_uring') > 0)}")
    if ring:
        ring.close()
    os.close(fd)
    epoll.close()


def select_with_long_bitmap(fd):
    """select(2) with a bitmap of our own: select.select() has none that long."""
    bits = 8 * ctypes.sizeof(ctypes.c_ulong)
    bitmap = (ctypes.c_ulong * ((FAR + bits) // bits))()
    now = (ctypes.c_long * 2)()
    bitmap[fd // bits] |= 1 << fd % bits
    return libc.select(fd + 1, bitmap, None, None, now)


def select_limit():
    claim("the limit of select() can be lifted by compiling the kernel anew")
    low = readable_eventfd()
    try:
        fd = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, FAR)
    except OSError as error:
        fail(EXIT_FAILURE, f"cannot get a high descriptor: {error.strerror}")
    found(f"the limit of {FD_SETSIZE} is compiled into programs and the C library: "
          f"a bitmap of fd_set's size has no place for descriptor {FAR}")
    found(f"this kernel, as it is, takes a longer bitmap: select() of descriptor {FAR} "
          f"finds {select_with_long_bitmap(fd)} ready")
    os.close(fd)
    os.close(low)


def read_once(sock):
    try:
        return sock.recv(1)
    except BlockingIOError:
        return b""


def count_calls(mode):
    """Messages that come one at a time: how many waits and reads does each mode make?"""
    waits = reads = 0
    sock, peer = socket.socketpair()
    with sock, peer, select.epoll() as epoll:
        sock.setblocking(False)
        epoll.register(sock, EPOLLIN | mode)
        for _ in range(MESSAGES):
            peer.send(b"x")
            waits += len(epoll.poll(None, 1))
            again = True
            while again:  # an edge-triggered reader reads until EAGAIN
                reads += 1
                again = read_once(sock) and mode == EPOLLET
    return waits, reads


def edge_is_faster():
    claim("edge-triggered is faster in itself")
    waits, reads = count_calls(0)
    found(f"{MESSAGES} messages, one at a time, level-triggered: {waits} waits, "
          f"{reads} reads")
    waits, reads = count_calls(EPOLLET)
    found(f"the same edge-triggered: {waits} waits, {reads} reads, "
          "as each is read until EAGAIN")


def poll_is_gone():
    claim("no system has poll() any more")
    poller, fd = select.poll(), readable_eventfd()
    poller.register(fd, POLLIN)
    ready = poller.poll()
    found(f"here it is: {len(ready)} ready, POLLIN: {yes_or_no(ready[0][1] == POLLIN)} "
          "(Windows' WSAPoll() was not tried)")
    os.close(fd)


def size_of_epoll():
    """select.epoll() no longer passes a size on."""
    claim("the size given to epoll_create() bounds the events")
    none = libc.epoll_create(0)
    error = ctypes.get_errno() if none < 0 else 0
    fds = [readable_eventfd() for _ in range(FEW)]
    with select.epoll.fromfd(libc.epoll_create(1)) as epoll:
        for fd in fds:
            epoll.register(fd, EPOLLIN)
        told = len(epoll.poll(None, 2 * FEW))
    found(f"epoll_create(1) took {FEW} descriptors and told {told} events "
          f"to a wait for up to {2 * FEW}")
    found(f"it must only not be 0: {error_name(error)}")
    for fd in fds:
        os.close(fd)


def oneshot():
    claim("after its one event a ONESHOT descriptor is added to the epoll again")
    events, fd = EPOLLIN | EPOLLONESHOT, readable_eventfd()
    with select.epoll() as epoll:
        epoll.register(fd, events)
        first, second = len(epoll.poll(0, 1)), len(epoll.poll(0, 1))
        error = outcome(epoll.register, fd, events)
        found(f"told {first}, then {second}; ADD: {error}, as it is still there")
        epoll.modify(fd, events)
        found(f"MOD arms it again: told {len(epoll.poll(0, 1))}")
    os.close(fd)


def keeps_polling():
    claim("select() and epoll keep polling while they wait")
    before = time.process_time()
    select.select([], [], [], 0.2)
    found("select() of 0.2 s computed for less than 0.02 s: "
          f"{yes_or_no(time.process_time() - before < 0.02)}")
    with select.epoll() as epoll:
        before = time.process_time()
        epoll.poll(0.2)
        found("epoll_wait() of 0.2 s computed for less than 0.02 s: "
              f"{yes_or_no(time.process_time() - before < 0.02)}")
    found("they sleep, and what becomes ready wakes them")


def time_select(fds):
    """The shortest of some calls."""
    shortest = 1
    for _ in range(20):
        start = time.monotonic()
        select.select(fds, [], [], 0)
        shortest = min(shortest, time.monotonic() - start)
    return shortest


def bypasses_the_interpreter():
    claim("select() is fast because it bypasses the interpreter")
    fds = [os.eventfd(0) for _ in range(MANY)]
    longer = time_select(fds) > time_select(fds[:FEW])
    found(f"with {MANY} descriptors, none of them ready, it takes longer than with "
          f"{FEW}: {yes_or_no(longer)}")
    found("so it is in C and in Python: the kernel looks at every one, at every call")
    for fd in fds:
        os.close(fd)


def poll_outcome(count):
    """The error of a poll() of so many entries, of descriptors that needn't be open."""
    poller = select.poll()
    for fd in range(count):
        poller.register(fd, 0)
    return outcome(poller.poll, 0)


def poll_has_no_limit():
    claim("poll() has no limit")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found(f"2000 entries, more than FD_SETSIZE: {poll_outcome(2000)}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    error = poll_outcome(65)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    found(f"65 entries where the process may have 64 descriptors: {error}")


def asynchronous_io():
    claim("asynchronous I/O on Linux is hardly used")
    ring = open_uring()
    if ring is None:
        found("this kernel has no io_uring for this process")
        return
    sock, peer = socket.socketpair()
    answer = ctypes.create_string_buffer(16)
    ring.recv(sock.fileno(), answer)
    early = ring.done() is not None
    peer.send(b"hello")
    while (result := ring.done()) is None:
        continue
    found(f"io_uring works here: done before anything was sent: {yes_or_no(early)}, "
          f"then {result} bytes received")
    found("how much it is used, no program can find out by running")
    sock.close()
    peer.close()
    ring.close()


def allow_descriptors():
    """All that may be had, as far as FAR and MANY need it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < 4096:
        soft = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def main():
    read_command_line("Put claims about select, poll and epoll to the test.", [])
    allow_descriptors()
    epoll_shares_memory()
    select_limit()
    edge_is_faster()
    poll_is_gone()
    size_of_epoll()
    oneshot()
    keeps_polling()
    bypasses_the_interpreter()
    poll_has_no_limit()
    asynchronous_io()


if __name__ == "__main__":
    main()
