#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Level against edge: what epoll tells about data that is left unread, and what that
asks of a reader.  demo/lessons/06_level_edge.c is the same program in C; what both
print is the same.

Level-triggered is a state: told for as long as there is something to read.
Edge-triggered is a change: told when more has come.  So an edge-triggered reader must
read (accept, write) until EAGAIN, on a descriptor that does not block; one that takes
only a part, and then waits to be told, may wait for ever.
"""
import select
import socket
from select import EPOLLET, EPOLLIN, EPOLLONESHOT, EPOLLOUT, POLLIN
from socket import SOCK_SEQPACKET, SOCK_STREAM

from command_line import read_command_line
from fail import print_out
from tell import outcome, yes_or_no


class Watched:
    """A pair of sockets: what is written to peer comes out of sock, which is watched."""

    def __init__(self, kind, events):
        self.sock, self.peer = socket.socketpair(socket.AF_UNIX, kind)
        self.sock.setblocking(False)
        self.peer.setblocking(False)
        self.epoll = select.epoll()
        self.epoll.register(self.sock, events)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.epoll.close()
        self.sock.close()
        self.peer.close()

    def ask(self, when):
        ask(self.epoll, when)


def ask(epoll, when):
    """Ask once, without waiting, and print whether we are told."""
    print_out(f"  {when}: {'told' if epoll.poll(0, 1) else 'not told'}\n")


def read_until_eagain(w, size):
    """What an edge-triggered reader does when it is told."""
    reads = total = 0
    try:
        while True:
            reads += 1
            total += len(w.sock.recv(size))
    except BlockingIOError:
        print_out(f"  {total} bytes in {reads} reads, the last: EAGAIN\n")


def level():
    print_out("level-triggered: a state\n")
    with Watched(SOCK_STREAM, EPOLLIN) as w:
        w.peer.send(b"hello")
        w.ask("5 bytes have come")
        w.ask("nothing is read")
        w.sock.recv(2)
        w.ask("2 are read, 3 are left")
        w.sock.recv(3)
        w.ask("all are read")


def edge():
    print_out("edge-triggered: a change\n")
    with Watched(SOCK_STREAM, EPOLLIN | EPOLLET) as w:
        w.peer.send(b"hello")
        w.ask("5 bytes have come")
        w.ask("nothing is read")
        w.sock.recv(2)
        w.ask("2 are read, 3 are left")
        w.peer.send(b"!")
        w.ask("1 more has come")
        print_out("what its reader must do\n")
        read_until_eagain(w, 3)
        w.ask("all are read")
        w.peer.send(b"again")
        w.ask("5 more have come")


def poll_is_level():
    print_out("poll(), as select(), knows no edges\n")
    with Watched(SOCK_STREAM, 0) as w:
        poller = select.poll()
        poller.register(w.sock, POLLIN)
        w.peer.send(b"hello")
        print_out(f"  5 bytes have come: {'told' if poller.poll(0) else 'not told'}\n")
        print_out(f"  nothing is read: {'told' if poller.poll(0) else 'not told'}\n")


def lost_message():
    """A reader who takes one message each time it is told: it stays one behind."""
    print_out("a message lost: edge-triggered, but one read each time\n")
    with Watched(SOCK_SEQPACKET, EPOLLIN | EPOLLET) as w:
        w.peer.send(b"first")
        w.peer.send(b"second")
        w.ask("the first and the second have come")
        print_out(f"  read: {w.sock.recv(64).decode()}\n")
        w.ask("the second is left")
        w.peer.send(b"third")
        w.ask("the third has come")
        print_out(f"  read: {w.sock.recv(64).decode()}\n")
        w.ask("the third is left")


def lost_client():
    """The same with a listener; the kernel picks its name."""
    print_out("a client lost: edge-triggered, but one accept each time\n")
    with socket.socket(socket.AF_UNIX) as listener, select.epoll() as epoll:
        listener.setblocking(False)
        listener.bind("")
        listener.listen(5)
        epoll.register(listener, EPOLLIN | EPOLLET)

        clients = [socket.socket(socket.AF_UNIX) for _ in range(2)]
        for client in clients:
            client.connect(listener.getsockname())
        ask(epoll, "two clients have come")
        conns = [listener.accept()[0]]
        ask(epoll, "one is accepted")
        try:
            conns.append(listener.accept()[0])
        except BlockingIOError:
            pass
        print_out(f"  and yet the other was there: {yes_or_no(len(conns) == 2)}\n")
        for sock in clients + conns:
            sock.close()


def writing():
    print_out("writing, edge-triggered\n")
    with Watched(SOCK_STREAM, EPOLLOUT | EPOLLET) as w:
        w.ask("there is room from the start")
        w.ask("nothing is written")
        try:
            while True:
                w.sock.send(bytes(4096))
        except BlockingIOError:
            pass
        w.ask("written until EAGAIN")
        try:
            while True:
                w.peer.recv(4096)
        except BlockingIOError:
            pass
        w.ask("the peer has read")


def oneshot():
    print_out("ONESHOT: told once, then disarmed\n")
    with Watched(SOCK_STREAM, EPOLLIN | EPOLLONESHOT) as w:
        w.peer.send(b"hello")
        w.ask("5 bytes have come")
        w.peer.send(b"again")
        w.ask("5 more have come")
        error = outcome(w.epoll.register, w.sock, EPOLLIN | EPOLLONESHOT)
        print_out(f"  add it again: {error}\n")
        w.ask("it is still disarmed")
        w.epoll.modify(w.sock, EPOLLIN | EPOLLONESHOT)
        w.ask("armed again with MOD")


def main():
    read_command_line("Compare level-triggered and edge-triggered.", [])
    level()
    edge()
    poll_is_level()
    lost_message()
    lost_client()
    writing()
    oneshot()


if __name__ == "__main__":
    main()
