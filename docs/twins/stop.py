# SPDX-License-Identifier: MIT
"""How a loop over descriptors hears SIGINT and SIGTERM: as one descriptor more.  The C
side of this file is demo/kit/stop.c.
"""
import signal
import socket


def open_stop():
    """A socket that turns readable when SIGINT or SIGTERM comes, instead of ending the
    program.
    """
    stop, told = socket.socketpair()
    stop.setblocking(False)
    told.setblocking(False)
    # detach: the other end stays open for as long as the program runs
    signal.set_wakeup_fd(told.detach(), warn_on_full_buffer=False)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda signum, frame: None)
    return stop


def take_stop(stop):
    """Take one signal, so that the socket is readable again only with the next."""
    stop.recv(1)
