#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sockets, call by call, from making one to sending: each section does something and
prints what it saw.  demo/lessons/12_sockets.c is the same program in C; what both print
is the same.  socket_options has what else one can ask.

Everything stays on this machine, and nothing here waits for what is not certain to
happen.  SOCK_RAW needs a right (CAP_NET_RAW) and says so where it is missing.
"""
import os
import select
import socket

from command_line import read_command_line
from fail import print_out
from tell import error_name, outcome, yes_or_no

MEBIBYTE = 1 << 20


def port_of(sock):
    return sock.getsockname()[1]


def bound(kind):
    """A socket with a port of its own that the kernel picks."""
    sock = socket.socket(socket.AF_INET, kind)
    sock.bind(("127.0.0.1", 0))
    return sock


def families_and_types():
    print_out("families and types\n")
    for family in ("AF_UNIX", "AF_INET", "AF_INET6"):
        for kind in ("SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET"):
            try:
                socket.socket(getattr(socket, family), getattr(socket, kind)).close()
                made = "made"
            except OSError as error:
                made = error_name(error.errno)
            print_out(f"  {family} {kind}: {made}\n")
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
        made = "made, this process may"
    except PermissionError:
        made = "EPERM, it needs CAP_NET_RAW"
    except OSError as error:
        made = error_name(error.errno)
    print_out(f"  AF_INET SOCK_RAW: {made}\n")


def boundaries(name):
    a, b = socket.socketpair(socket.AF_UNIX, getattr(socket, name))
    with a, b:
        a.send(b"one")
        a.send(b"two")
        print_out(f"  {name}: sent one, two; the first recv(): {b.recv(16).decode()}\n")


def what_a_type_means():
    print_out("what a type means\n")
    boundaries("SOCK_STREAM")
    boundaries("SOCK_DGRAM")
    boundaries("SOCK_SEQPACKET")


def names():
    print_out("names\n")
    listener = bound(socket.SOCK_STREAM)
    client = socket.socket()
    listener.listen(5)
    print_out("  port 0 was asked for, it is still 0: "
              f"{yes_or_no(port_of(listener) == 0)}\n")
    print_out(f"  getpeername() before connect(): {outcome(client.getpeername)}\n")
    error = client.connect_ex(listener.getsockname())
    print_out(f"  connect_ex(): {error_name(error)}\n")
    conn, _ = listener.accept()
    print_out("  the server's peer is the client's own name: "
              f"{yes_or_no(conn.getpeername() == client.getsockname())}\n")
    print_out("  the connection's port is the listener's: "
              f"{yes_or_no(port_of(conn) == port_of(listener))}\n")
    second = socket.socket()
    print_out("  bind() to a port that is taken: "
              f"{outcome(second.bind, listener.getsockname())}\n")
    for sock in (second, conn, client, listener):
        sock.close()


def backlog():
    """How many may connect before anybody accepts.  Over AF_UNIX one too many is told
    so at once; over TCP its connect() would wait.
    """
    clients, error = [], 0
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("")  # the kernel picks a name
    listener.listen(2)
    while len(clients) < 10 and error == 0:
        clients.append(socket.socket(socket.AF_UNIX))
        clients[-1].setblocking(False)
        error = clients[-1].connect_ex(listener.getsockname())
    print_out("backlog\n")
    print_out(f"  listen(2), nobody accepts: {len(clients) - 1} connect, the next: "
              f"{error_name(error)}\n")
    for sock in [*clients, listener]:
        sock.close()


def connect_later(what, address):
    """Start to connect without waiting, wait for WRITE, ask how it went."""
    with socket.socket() as sock:
        sock.setblocking(False)
        started = sock.connect_ex(address)
        writable = select.select([], [sock], [], 20)[1]
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        print_out(f"  {what}: connect_ex() {error_name(started)}, then writable: "
                  f"{yes_or_no(writable)}, SO_ERROR {error_name(error)}\n")


def connecting():
    print_out("connect without waiting\n")
    with bound(socket.SOCK_STREAM) as listener, bound(socket.SOCK_STREAM) as nobody:
        listener.listen(5)
        connect_later("somebody listens", listener.getsockname())
        connect_later("nobody listens", nobody.getsockname())  # taken, not open


def count_bytes(a, b):
    """A process that reads to the end and answers how much that was."""
    child = os.fork()
    if child > 0:
        return child
    total = 0
    a.close()
    while data := b.recv(65536):
        total += len(data)
    b.sendall(str(total).encode())
    os._exit(0)


def send_and_sendall():
    print_out("send() and sendall()\n")
    a, b = socket.socketpair()
    sent = a.send(bytes(MEBIBYTE), socket.MSG_DONTWAIT)
    print_out(f"  send() of a mebibyte took something: {yes_or_no(sent > 0)}, all: "
              f"{yes_or_no(sent == MEBIBYTE)}\n")
    child = count_bytes(a, b)
    b.close()
    error = outcome(a.sendall, bytes(MEBIBYTE))
    a.shutdown(socket.SHUT_WR)
    answer = a.recv(32)
    print_out(f"  sendall() of another: {error}, all of it came: "
              f"{yes_or_no(int(answer) == sent + MEBIBYTE)}\n")
    os.waitpid(child, 0)
    a.close()


def datagrams():
    print_out("datagrams\n")
    receiver, sender = bound(socket.SOCK_DGRAM), bound(socket.SOCK_DGRAM)
    to = receiver.getsockname()
    sent = sender.sendto(b"hello", to)
    data, address = receiver.recvfrom(16)
    print_out(f"  sendto() {sent} bytes, recvfrom() {len(data)}, from the sender: "
              f"{yes_or_no(address == sender.getsockname())}\n")
    sender.sendto(b"hello", to)
    sender.sendto(b"", to)
    print_out(f"  recv(3) of 5: {len(receiver.recv(3))}, and the rest is lost: ")
    print_out(f"the next has {len(receiver.recv(16))}, an empty one, not an end\n")
    print_out(f"  70000 bytes: {outcome(sender.sendto, bytes(70000), to)}\n")
    sender.close()
    receiver.close()


def main():
    read_command_line("Try sockets call by call.", [])
    families_and_types()
    what_a_type_means()
    names()
    backlog()
    connecting()
    send_and_sendall()
    datagrams()


if __name__ == "__main__":
    main()
