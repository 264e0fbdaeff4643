# SPDX-License-Identifier: MIT
"""What the blocking clients share.  The C side of this file is demo/kit/blocking.c; most
of it is socket.create_connection() and sock.sendall() here.
"""
import os
import socket

from fail import EXIT_FAILURE, fail


def blocking_error(error):
    """The message for what a blocking call raised."""
    if isinstance(error, TimeoutError):
        return "timed out"
    return getattr(error, "strerror", None) or str(error)


def create_connection(host, port, timeout=None):
    """A socket connected to the first of the server's addresses that answers.  After
    `timeout` seconds a connect, a send or a receive of it gives up with TimeoutError.
    Failure is one plain line and the program's end.
    """
    try:
        return socket.create_connection((host, port), timeout)
    except (OSError, UnicodeError) as error:
        reason = blocking_error(error)
    return fail(EXIT_FAILURE, f"cannot connect to {host} port {port}: {reason}")


def print_bytes(data):
    """Print bytes on stdout, and fail if it can't take all of them."""
    try:
        while data:
            data = data[os.write(1, data):]
    except OSError as error:
        fail(EXIT_FAILURE, f"cannot write to stdout: {error.strerror}")
