# SPDX-License-Identifier: MIT
"""Python's own event loops, doing the same work: what one leaves for a C library.

    peers.py selectors | asyncio           an echo server, as bench_server is one
    peers.py timers COUNT                  asyncio's call_later and cancel
    peers.py posts THREADS COUNT           asyncio's call_soon_threadsafe
    peers.py passes ROUNDS one|all N...    selectors' select and call, as bench_passes
"""

import asyncio
import json
import os
import resource
import selectors
import socket
import statistics
import sys
import threading
import time

MESSAGE = 4096
BACKLOG = 4096


def listen():
    listener = socket.create_server(('127.0.0.1', 0), backlog=BACKLOG)
    print(listener.getsockname()[1], flush=True)
    return listener


def serve_selectors():
    selector = selectors.DefaultSelector()
    listener = listen()

    def accept(unused):
        connection, _ = listener.accept()
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, answer)

    def answer(connection):
        try:
            message = connection.recv(MESSAGE)
        except ConnectionResetError:
            message = b''
        if message:
            connection.send(message)
        else:
            selector.unregister(connection)
            connection.close()

    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ, accept)
    selector.register(sys.stdin, selectors.EVENT_READ, lambda unused: sys.exit())
    while True:
        for key, _ in selector.select():
            key.data(key.fileobj)


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def serve_asyncio():
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    server = await loop.create_server(Echo, sock=listen())
    await ended.wait()
    server.close()
    os._exit(0)  # with thousands of connections open, an orderly end takes long


async def time_timers(count):
    loop = asyncio.get_running_loop()
    start = time.thread_time_ns()
    timers = [loop.call_later(60 + i * 7919 % 3600000 / 1000, print) for i in range(count)]
    for timer in timers:
        timer.cancel()
    return (time.thread_time_ns() - start) / count


async def time_posts(threads, count):
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    left = threads * count

    def take():
        nonlocal left
        left -= 1
        if left == 0:
            ended.set()

    def post():
        for _ in range(count):
            loop.call_soon_threadsafe(take)

    start = time.monotonic_ns()
    posters = [threading.Thread(target=post) for _ in range(threads)]
    for poster in posters:
        poster.start()
    await ended.wait()
    took = time.monotonic_ns() - start
    for poster in posters:
        poster.join()
    return took / (threads * count)


def open_selector(ends, ready):
    """A selector with the first of them readable, or all; and how often one was called."""
    selector = selectors.DefaultSelector()
    called = 0

    def count():
        nonlocal called
        called += 1

    def passes(number):
        nonlocal called
        start = time.thread_time_ns()
        for _ in range(number):
            called = 0
            while called < ready:
                for key, _ in selector.select():
                    key.data()
        return (time.thread_time_ns() - start) / number

    for end in reversed(ends):
        selector.register(end, selectors.EVENT_READ, count)
    return passes


def time_passes(rounds, which, *sizes):
    rounds, sizes = int(rounds), [int(size) for size in sizes]
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    ends = [end for _ in range((max(sizes) + 1) // 2) for end in socket.socketpair()]
    for end in ends if which == 'all' else ends[1:2]:
        end.send(b'.')
    loops = [open_selector(ends[:size], size if which == 'all' else 1) for size in sizes]
    turns = [[passes(20) for passes in loops] for _ in range(rounds)]
    for i, size in enumerate(sizes):
        print(json.dumps({
            'contender': 'selectors', 'watched': size,
            'ns': statistics.median(turn[i] for turn in turns),
            'ratio': statistics.median(turn[i] / turn[0] for turn in turns),
            **dict(zip(('lower_quartile', '', 'upper_quartile'), statistics.quantiles(
                (turn[i] / turn[0] for turn in turns), n=4)))}))


def main(what, *numbers):
    if what == 'passes':
        time_passes(*numbers)
        return
    numbers = [int(number) for number in numbers]
    if what == 'selectors':
        serve_selectors()
    elif what == 'asyncio':
        asyncio.run(serve_asyncio())
    elif what == 'timers':
        print(json.dumps({'ns': asyncio.run(time_timers(*numbers))}))
    elif what == 'posts':
        print(json.dumps({'ns': asyncio.run(time_posts(*numbers))}))
    else:
        sys.exit(f'{sys.argv[0]}: {what}: not one of the works')


if __name__ == '__main__':
    main(*sys.argv[1:])
