# SPDX-License-Identifier: MIT
"""What every server here does around its loop: read the command line, listen,
say where, and what is to be known about accept() and close().

Before the loop a failure is one plain line on stderr and the end of the program:
exit code 2 for a wrong command line, 1 for anything else.  The C side of this
file is demo/listen.c.
"""
import array
import contextlib
import errno
import fcntl
import getopt
import os
import platform
import re
import socket
import sys
import termios

PROGRAM = os.path.basename(sys.argv[0])
EXIT_FAILURE = 1
EXIT_USAGE = 2

USAGE = """\
  -H, --host HOST        the name or address to listen on (127.0.0.1)
  -p, --port PORT        the port; 0: one that is free (1234)
  -b, --backlog N        how many may wait to be accepted (4096)
"""
USAGE_TIMEOUT = """\
  -t, --timeout SECONDS  end when nothing happens for so long (never)
"""
USAGE_END = """\
  -v, --verbose          tell on stderr who comes and goes
  -h, --help             print this and exit
  -V, --version          print the version and exit
"""


class Options:
    """What the command line says; the values here are the defaults."""

    host = "127.0.0.1"
    port = "1234"
    backlog = 4096
    timeout = None  # seconds; None: never
    verbose = False


def print_line(message):
    """Print "program: message" on stderr, with one write()."""
    with contextlib.suppress(OSError):
        os.write(2, os.fsencode(f"{PROGRAM}: {message}\n"))


def fail(status, message):
    """Print "program: message" on stderr and exit."""
    print_line(message)
    sys.exit(status)


def note(verbose, message):
    """With --verbose, print "program: message" on stderr."""
    if verbose:
        print_line(message)


def print_out(text):
    """Print on stdout, and fail if it can't take all of it."""
    try:
        with open(1, "w", closefd=False) as stdout:
            stdout.write(text)
    except OSError as error:
        fail(EXIT_FAILURE, f"cannot write to stdout: {error.strerror}")


def hold_standard_descriptors():
    """Keep 0, 1 and 2 from becoming sockets when they were closed at the start.

    Opened the wrong way round, a stand-in fails as the closed one would.
    """
    for fd in range(3):
        try:
            fcntl.fcntl(fd, fcntl.F_GETFD)
        except OSError:
            os.open(os.devnull, os.O_WRONLY if fd == 0 else os.O_RDONLY)


def print_help(purpose, takes_timeout):
    timeout = USAGE_TIMEOUT if takes_timeout else ""
    print_out(f"Usage: {PROGRAM} [OPTION]...\n{purpose}\n\n{USAGE}{timeout}{USAGE_END}")
    sys.exit()


def print_version():
    print_out(f"{PROGRAM}, Python {platform.python_version()}\n")
    sys.exit()


def whole_number(name, text, lowest, highest):
    number = int(text) if re.fullmatch("[0-9]{1,6}", text) else -1
    if not lowest <= number <= highest:
        fail(EXIT_USAGE, f"{name} is a number from {lowest} to {highest}, not '{text}'")
    return number


def positive_seconds(name, text):
    try:
        seconds = float(text) if re.fullmatch("[0-9.]+", text) else 0
    except ValueError:
        seconds = 0
    if not 0 < seconds <= 1e6:
        fail(EXIT_USAGE, f"{name} is seconds, over 0 and up to 1000000, not '{text}'")
    return seconds


def parse_options(purpose, takes_timeout=False):
    """The options of the command line; does not return from --help and --version."""
    letters = "H:p:b:vhV"
    names = ["host=", "port=", "backlog=", "verbose", "help", "version"]
    if takes_timeout:
        letters += "t:"
        names.append("timeout=")

    hold_standard_descriptors()
    try:
        given, rest = getopt.gnu_getopt(sys.argv[1:], letters, names)
    except getopt.GetoptError as error:
        fail(EXIT_USAGE, error.msg)
    options = Options()
    for option, value in given:
        match option:
            case "-H" | "--host":
                options.host = value
            case "-p" | "--port":
                whole_number("--port", value, 0, 65535)
                options.port = value
            case "-b" | "--backlog":
                options.backlog = whole_number("--backlog", value, 1, 65535)
            case "-t" | "--timeout":
                options.timeout = positive_seconds("--timeout", value)
            case "-v" | "--verbose":
                options.verbose = True
            case "-h" | "--help":
                print_help(purpose, takes_timeout)
            case "-V" | "--version":
                print_version()
    if rest:
        fail(EXIT_USAGE, f"unexpected argument '{rest[0]}'")
    return options


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
