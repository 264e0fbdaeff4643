#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a key is, and the family of selectors.

A key is a file object, its descriptor, the events it is watched for, and data.  All of
the family are subclasses of BaseSelector and answer alike: they are told apart by name,
by fileno() and by how large a descriptor they take.  demo/lessons/08_selector_key.c is
the same program in C.
"""
import errno
import fcntl
import os
import selectors
import socket
from selectors import EVENT_READ, EVENT_WRITE

from command_line import read_command_line
from fail import print_out

LARGE_DESCRIPTOR = 1500  # more than an fd_set holds
FAMILY = {"epoll": "EpollSelector", "poll": "PollSelector", "select": "SelectSelector",
          "devpoll": "DevpollSelector", "kqueue": "KqueueSelector"}


def event_names(events):
    return ("none", "READ", "WRITE", "READ|WRITE")[events & (EVENT_READ | EVENT_WRITE)]


def print_key(when, sel, fileobj):
    key = sel.get_key(fileobj)
    print_out(f"{when}: fd {key.fd}, events {event_names(key.events)},"
              f" data '{key.data[1]}'\n")


def print_answer(question, call, *arguments):
    try:
        call(*arguments)
        answer = "taken"
    except (KeyError, ValueError, OSError):
        answer = "refused"
    print_out(f"{question}: {answer}\n")


def ready(key, mask):
    print_out(f"ready: fd {key.fd}, mask {event_names(mask)} of"
              f" {event_names(key.events)}, data '{key.data[1]}'\n")


def show_key(sock, file):
    with selectors.EpollSelector() as sel:
        sel.register(sock, EVENT_READ, (ready, "first"))
        print_key("registered", sel, sock)
        print_answer("registered again", sel.register, sock, EVENT_READ)
        print_answer("events 0", sel.register, file, 0)
        print_answer("a file", sel.register, file, EVENT_READ)
        sel.modify(sock, EVENT_READ | EVENT_WRITE, (ready, "second"))
        print_key("modified", sel, sock)
        print_out(f"keys: {len(sel.get_map())}\n")
        for key, mask in sel.select():
            callback, _ = key.data
            callback(key, mask)
        sel.unregister(sock)
        print_out(f"keys: {len(sel.get_map())}\n")
        print_answer("unregistered again", sel.unregister, sock)


def takes_large(sel, sock):
    """Does this one take a descriptor that is too large for an fd_set?"""
    try:
        large = fcntl.fcntl(sock, fcntl.F_DUPFD_CLOEXEC, LARGE_DESCRIPTOR)
    except OSError as error:
        return "not tried" if error.errno == errno.EINVAL else error.strerror
    try:
        sel.register(large, EVENT_READ)
        sel.select(0)  # SelectSelector says so only here
        return "yes"
    except ValueError:
        return "no"
    finally:
        sel.unregister(large)
        os.close(large)


def show_selector(name, sock):
    kind = getattr(selectors, FAMILY[name], None)
    if kind is None:
        print_out(f"{name}: not here\n")
        return
    with kind() as sel:
        fileno = "yes" if hasattr(sel, "fileno") else "no"
        print_out(f"{name}: fileno {fileno}, descriptor {LARGE_DESCRIPTOR}"
                  f" {takes_large(sel, sock)}\n")


def main():
    read_command_line("What a key is, and the family of selectors.", [])
    left, right = socket.socketpair()
    with left, right, open("/proc/self/exe", "rb") as file:
        show_key(left, file)
        for name in FAMILY:
            show_selector(name, left)


if __name__ == "__main__":
    main()
