# SPDX-License-Identifier: MIT
"""The descriptors that the selectors of test_lockstep.py watch.

A place is a descriptor number; several may have the same open file.  Everything is
non-blocking and has small buffers, so that whatever happens happens at once.  The other
ends stay out of the way of the numbers.
"""

import contextlib
import errno
import fcntl
import os
import select
import socket
import stat

FIRST, WATCHED, PLACES = 200, 8, 12
NUMBERS = range(FIRST, FIRST + PLACES)
FIRST_PEER = FIRST + PLACES + 100
BUFFER = 4096
READ, WRITE, EXCEPT = 1, 2, 4

HANG_UP = select.POLLHUP | select.POLLERR
ALWAYS_READY = ['regular', 'directory', 'null']  # what epoll refuses
KINDS = ['pipe_reader', 'pipe_writer', 'unix', 'tcp', 'fresh_tcp', 'listener', 'udp',
         'eventfd', *ALWAYS_READY]


class File:
    """An open file: how many numbers it has, and its other end."""

    def __init__(self, kind, peer):
        self.kind = kind
        self.peer = peer
        self.numbers = 0


def small(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    return sock


def tcp_pair():
    with small(socket.socket()) as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen(1)
        one = small(socket.socket())
        one.connect(listener.getsockname())
        return one.detach(), listener.accept()[0].detach()


def udp_pair():
    pair = [small(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(2)]
    for sock in pair:
        sock.bind(('127.0.0.1', 0))
    pair[0].connect(pair[1].getsockname())
    pair[1].connect(pair[0].getsockname())
    return [sock.detach() for sock in pair]


def pipe_pair():
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, BUFFER)
    return reader, writer


def listener():
    sock = socket.create_server(('127.0.0.1', 0))
    return sock.detach()


def open_pair(kind):
    """(the descriptor to be watched, its other end or None)"""
    if kind == 'pipe_reader':
        return pipe_pair()
    if kind == 'pipe_writer':
        return pipe_pair()[::-1]
    if kind == 'unix':
        return [sock.detach() for sock in socket.socketpair()]
    if kind == 'tcp':
        return tcp_pair()
    if kind == 'udp':
        return udp_pair()
    if kind == 'fresh_tcp':
        return socket.socket().detach(), None
    if kind == 'listener':
        return listener(), None
    if kind == 'eventfd':
        return os.eventfd(0), None
    if kind == 'regular':
        return os.memfd_create('lockstep'), None
    return os.open('/' if kind == 'directory' else '/dev/null', os.O_RDONLY), None


class World:
    def __init__(self):
        self.files = {}  # number: File

    def open(self, fd, kind):
        self.close(fd)
        own, peer = open_pair(kind)
        os.dup2(own, fd, inheritable=False)
        os.close(own)
        os.set_blocking(fd, False)
        if peer is not None:
            moved = fcntl.fcntl(peer, fcntl.F_DUPFD_CLOEXEC, FIRST_PEER)
            os.close(peer)
            os.set_blocking(moved, False)
            peer = moved
        self.enter(fd, File(kind, peer))

    def enter(self, fd, file):
        self.files[fd] = file
        file.numbers += 1

    def close(self, fd):
        if fd in self.files:
            os.close(fd)
            self.leave(fd)

    def leave(self, fd):
        file = self.files.pop(fd)
        file.numbers -= 1
        if file.numbers == 0:
            self.close_peer(file)

    def duplicate(self, fd, to):
        file = self.files[fd]
        os.dup2(fd, to, inheritable=False)
        file.numbers += 1
        if to in self.files:
            self.leave(to)
        file.numbers -= 1
        self.enter(to, file)

    def close_all(self):
        for fd in list(self.files):
            self.close(fd)

    def refusal(self, fd):
        """The errno that epoll has for this number, or 0."""
        if fd not in self.files:
            return errno.EBADF
        return errno.EPERM if self.files[fd].kind in ALWAYS_READY else 0

    def identity(self, fd):
        status = os.fstat(fd)
        return status.st_dev, status.st_ino

    def close_peer(self, file):
        if file.peer is not None:
            os.close(file.peer)
            file.peer = None

    def happen(self, fd, name):
        """One of HAPPENINGS; where it makes no sense for a file, nothing happens."""
        file = self.files[fd]
        with contextlib.suppress(OSError):
            HAPPENINGS[name](self, fd, file)

    def view(self):
        """What poll(2) says of every number: {fd: events ready}."""
        poll = select.poll()
        for fd in self.files:
            poll.register(fd, select.POLLIN | select.POLLOUT | select.POLLPRI)
        return {fd: ready_by_poll(revents) for fd, revents in poll.poll(0)}


def ready_by_poll(revents):
    if revents & HANG_UP:
        return READ | WRITE | EXCEPT
    return ((READ if revents & select.POLLIN else 0)
            | (WRITE if revents & select.POLLOUT else 0)
            | (EXCEPT if revents & select.POLLPRI else 0))


def write_until_full(fd, file):
    if file.kind == 'eventfd':
        os.eventfd_write(fd, 2**64 - 2)
    elif file.kind not in ('udp', *ALWAYS_READY):
        while True:
            os.write(fd, bytes(BUFFER))


def read_until_empty(fd):
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        return
    while os.read(fd, BUFFER):
        pass


def peer_writes(world, fd, file):
    if file.kind == 'eventfd':
        os.eventfd_write(fd, 1)
    elif file.peer is not None:
        os.write(file.peer, b'.')


def as_socket(fd):
    """A socket object of its own for it; to be closed."""
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        raise OSError(errno.ENOTSOCK, 'not a socket')
    return socket.socket(fileno=os.dup(fd))


def shut_down(fd, how):
    with as_socket(fd) as sock:
        sock.shutdown(how)


def peer_shuts_down(world, fd, file):
    if file.peer is not None:
        shut_down(file.peer, socket.SHUT_WR)


def peer_reads(world, fd, file):
    if file.peer is not None:
        read_until_empty(file.peer)


def peer_resets(world, fd, file):
    if file.peer is not None:
        with as_socket(file.peer) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        world.close_peer(file)


def peer_sends_urgent_byte(world, fd, file):
    if file.kind == 'tcp' and file.peer is not None:
        with as_socket(file.peer) as sock:
            sock.send(b'!', socket.MSG_OOB | socket.MSG_DONTWAIT)


HAPPENINGS = {
    'peer_writes': peer_writes,
    'read_all': lambda world, fd, file: read_until_empty(fd),
    'write_byte': lambda world, fd, file: os.write(fd, b'.'),
    'fill': lambda world, fd, file: write_until_full(fd, file),
    'peer_reads_all': peer_reads,
    'shutdown_both': lambda world, fd, file: shut_down(fd, socket.SHUT_RDWR),
    'shutdown_writing': lambda world, fd, file: shut_down(fd, socket.SHUT_WR),
    'peer_shuts_down_writing': peer_shuts_down,
    'peer_closes': lambda world, fd, file: world.close_peer(file),
    'peer_resets': peer_resets,
    'peer_sends_urgent_byte': peer_sends_urgent_byte,
}
