# SPDX-License-Identifier: MIT
"""What every server here does around its loop: read the command line, listen,
say where, and what is to be known about accept() and close().

Before the loop a failure ends the program, as fail.py says.  The C side of this file is
demo/kit/listen.c.
"""
import array
import contextlib
import errno
import fcntl
import os
import socket
import termios

from command_line import Option, number, read_command_line, seconds, word
from fail import EXIT_FAILURE, fail, print_out


def parse_options(purpose, takes_timeout=False):
    """The options of the command line; does not return from --help and --version."""
    options = [
        Option("H", "host", "HOST", "the name or address to listen on (127.0.0.1)",
               "127.0.0.1", word),
        Option("p", "port", "PORT", "the port; 0 picks a free one (1234)", 1234,
               number(0, 65535)),
        Option("b", "backlog", "N", "how many clients may wait to be accepted (4096)", 4096,
               number(1, 65535)),
    ]
    if takes_timeout:
        options.append(Option("t", "timeout", "SECONDS",
                              "end after SECONDS without activity (never)", None,
                              seconds))
    options.append(Option("v", "verbose", None, "report on stderr who comes and goes"))
    return read_command_line(purpose, options)


def listen_on(family, kind, protocol, address, backlog):
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by what is accepted: an echo does not wait for more to send.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener


def open_listener(options):
    """A socket that listens, non-blocking."""
    host, port = options.host, options.port
    failure = None
    try:
        addresses = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV)
        # The first that this machine has; a taken port is not made up for by the next.
        for family, kind, protocol, _, address in addresses:
            try:
                return listen_on(family, kind, protocol, address, options.backlog)
            except OSError as error:
                failure = error
                if error.errno == errno.EADDRINUSE:
                    break
    except (OSError, UnicodeError, ValueError) as error:  # what getaddrinfo() raises
        failure = error
    reason = getattr(failure, "strerror", None) or failure
    return fail(EXIT_FAILURE, f"cannot listen on {host} port {port}: {reason}")


def print_listening(listener):
    """ "listening on 127.0.0.1:1234" and how to try it. """
    host, port = socket.getnameinfo(
        listener.getsockname(), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
    ipv6 = listener.family == socket.AF_INET6
    where = f"[{host}]:{port}" if ipv6 else f"{host}:{port}"
    print_out(f"listening on {where}\ntry: nc {host} {port}\n")


class Reserve:
    """A descriptor kept back for accept_client(): when all others are taken it is
    closed, and its number serves to take one client and hang up.  Not accepted,
    that client would keep the listener readable and the loop spinning.
    """

    def __init__(self):
        self.fd = -1
        self.open()

    def open(self):
        with contextlib.suppress(OSError):
            self.fd = os.open(os.devnull, os.O_RDONLY)

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


def turn_away(listener, reserve):
    reserve.close()
    try:
        listener.accept()[0].close()
    except OSError as error:
        return OSError(errno.ENFILE, "") if error.errno == errno.EMFILE else error
    finally:
        reserve.open()
    return OSError(errno.EMFILE, os.strerror(errno.EMFILE))


# What accept(2) says of a client whose network failed before it was accepted;
# EPERM is a firewall rule.
GONE = {errno.EINTR, errno.ENETDOWN, errno.EPROTO, errno.ENOPROTOOPT,
        errno.EHOSTDOWN, errno.ENONET, errno.EHOSTUNREACH, errno.EOPNOTSUPP,
        errno.ENETUNREACH, errno.EPERM}


def accept_client(listener, reserve):
    """Accept one client, non-blocking.  Raises

    BlockingIOError         nobody is waiting
    ConnectionAbortedError  the one that was is gone already; there may be another
    OSError, EMFILE         no descriptor was left and one client was turned away
    any other OSError       the kernel has no room at all; try again a little later
    """
    try:
        sock, _ = listener.accept()
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise turn_away(listener, reserve) from None
        if error.errno in GONE:
            raise ConnectionAbortedError from None
        raise
    sock.setblocking(False)
    return sock


def is_settled(sock):
    """Has the client got all that was sent to it, and have we read all it sent?

    Closing a socket with unread bytes resets the connection, and then what is
    still on its way to the client is lost.
    """
    unread, on_the_way = array.array("i", [0]), array.array("i", [0])
    try:
        fcntl.ioctl(sock, termios.FIONREAD, unread)
        fcntl.ioctl(sock, termios.TIOCOUTQ, on_the_way)
    except OSError:
        return False
    return unread[0] == 0 and on_the_way[0] == 0
