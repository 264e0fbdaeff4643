#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a socket can be told, and what it answers: options, blocking and timeouts, a file
over it, errors.  demo/lessons/12_socket_options.c is the same program in C; what both
print is the same.

Nothing here waits for what is not certain to happen.
"""
import os
import socket
import time

from command_line import read_command_line
from fail import print_out
from tell import outcome, yes_or_no


def options():
    print_out("options\n")
    with socket.socket() as sock:
        kind = sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
        print_out(f"  SO_TYPE is SOCK_STREAM: {yes_or_no(kind == socket.SOCK_STREAM)}\n")
        before = sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        after = sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
        print_out(f"  SO_REUSEADDR: {before}, then {after}\n")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        nodelay = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        print_out(f"  TCP_NODELAY: {int(nodelay != 0)}\n")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10000)
        given = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        print_out(f"  SO_RCVBUF: 10000 asked for, {given} given\n")


def timeouts():
    print_out("blocking and timeouts\n")
    a, b = socket.socketpair()
    with a, b:
        print_out(f"  a new socket blocks: {yes_or_no(os.get_blocking(a.fileno()))}\n")
        a.setblocking(False)
        print_out(f"  setblocking(False), recv(): {outcome(a.recv, 1)}\n")
        a.settimeout(0.1)
        start = time.monotonic()
        try:
            a.recv(1)
            how = "no timeout"
        except TimeoutError:
            how = "timed out"
        early = time.monotonic() - start < 0.1
        print_out(f"  settimeout(0.1), recv(): {how}, it was early: {yes_or_no(early)}\n")
        b.send(b"x")
        a.settimeout(20)
        print_out(f"  settimeout(20), recv() of what is there: {len(a.recv(1))} byte\n")


def makefile():
    print_out("makefile()\n")
    a, b = socket.socketpair()
    with a, a.makefile("w") as writer:
        writer.write("first line\nsecond line\n")
    # both are closed, and what the file had buffered is sent
    with b, b.makefile("r") as reader:
        for line in reader:
            print_out(f"  {line}")


def errors():
    print_out("errors\n")
    a, b = socket.socketpair()
    b.close()
    print_out(f"  recv() after the peer closed: {len(a.recv(1))} bytes\n")
    print_out(f"  send() after the peer closed: {outcome(a.send, b'x')}\n")
    a.close()
    a, b = socket.socketpair()
    a.send(b"x")
    b.close()  # with a byte unread
    print_out(f"  recv() after it closed without reading: {outcome(a.recv, 1)}\n")
    a.close()
    try:
        socket.getaddrinfo("no.number", 80, flags=socket.AI_NUMERICHOST)
        unknown = "another"
    except socket.gaierror as error:
        unknown = "EAI_NONAME" if error.errno == socket.EAI_NONAME else "another"
    print_out(f"  gaierror: {unknown}\n")
    print_out("  herror: only gethostbyname() and its like, older than getaddrinfo()\n")


def main():
    read_command_line("Try what a socket can be told and what it answers.", [])
    options()
    timeouts()
    makefile()
    errors()


if __name__ == "__main__":
    main()
