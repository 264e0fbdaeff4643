#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A server that blocks and so serves one client at a time: it reads a line, answers
good bye and closes.  demo/lessons/01_one_client_server.c is the same program in C;
line_client is its client.

While it waits for one client's line, all others wait to be accepted, however long that
takes: that is what the loops of the other lessons are for.  A signal ends it as it
ends any program.

TCP is a stream without messages.  One recv() may bring half a line, so a message is
what ends with a newline (or is LINE_SIZE bytes long, or ends the stream).
"""
import errno
import socket

from fail import EXIT_FAILURE, fail, note
from listen import open_listener, parse_options, print_listening

LINE_SIZE = 1024


def receive_line(conn):
    """One message."""
    line = b""
    while len(line) < LINE_SIZE and b"\n" not in line:
        received = conn.recv(LINE_SIZE - len(line))
        if not received:
            break
        line += received
    return line


def finish(conn):
    """Say that nothing more will come, and take what the client still sends: closing
    with unread bytes would reset the connection, and the answer might be lost.
    """
    conn.shutdown(socket.SHUT_WR)
    while conn.recv(LINE_SIZE):
        continue


def serve(conn, verbose):
    note(verbose, "connected")
    try:
        line = receive_line(conn)
        note(verbose, f"received {len(line)} bytes")
        conn.sendall(b"received %d bytes, good bye\n" % len(line))
    except OSError as error:
        note(verbose, error.strerror)
        return
    try:
        finish(conn)
    except OSError:  # reset; it wanted no answer
        pass
    note(verbose, "closed")


# What is wrong with us and not with the client that accept() was for.
OURS = {errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EMFILE, errno.ENFILE,
        errno.ENOBUFS, errno.ENOMEM}


def client_was_lost(error):
    """Did this accept() fail only because of the client it was for?"""
    return error.errno not in OURS


def main():
    options = parse_options("Answer every client good bye, one client at a time.")
    listener = open_listener(options)
    listener.setblocking(True)
    print_listening(listener)

    while True:
        try:
            conn, _ = listener.accept()
        except OSError as error:
            if not client_was_lost(error):
                fail(EXIT_FAILURE, f"cannot accept: {error.strerror}")
            continue
        with conn:
            serve(conn, options.verbose)


if __name__ == "__main__":
    main()
