#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Conversations as coroutines: Future, Task and Loop are all that they need.

Two visitors at a door are asked for their names, then for their towns.  Between a question
and its answer greet() stands still at a `yield`, with its local variables, while the loop
serves others.  This program is both sides: visit() gives the visitors' answers, those of
one while the other's conversation stands in the middle.  It says `await` where greet()
says `yield from`; a Task does the same with both.

demo/lessons/21_coroutines.c is the same program in C, as state machines;
docs/twins/coroutines_asyncio.py is the same with asyncio.
"""
import socket
from selectors import EVENT_READ, DefaultSelector

from command_line import read_command_line
from fail import print_out

PURPOSE = "Two conversations that take turns in one thread."
LINE_SIZE = 100
# What is said at which door, and in which order; None: nothing more.
STEPS = [(0, "ann"), (1, "bob"), (1, "oslo"), (1, None), (0, "rome"), (0, None)]


# [forty]
class Future:
    """A result that is not there yet, and who waits for it."""

    def __init__(self):
        self.done, self.result, self.callbacks = False, None, []

    def set_result(self, result):
        self.done, self.result = True, result
        for callback in self.callbacks:
            callback()

    def __await__(self):
        if not self.done:
            yield self  # to the task that runs us; it goes on here when we are done
        return self.result

    __iter__ = __await__  # `yield from` is to a generator what `await` is to a coroutine


class Task(Future):
    """Runs a coroutine, a step at a time: from one future to the next."""

    def __init__(self, coroutine):
        super().__init__()
        self.coroutine = coroutine
        self.step()

    def step(self):
        try:
            future = self.coroutine.send(None)
        except StopIteration as end:
            self.set_result(end.value)
        else:
            future.callbacks.append(self.step)


class Loop:
    def __init__(self):
        self.sel = DefaultSelector()

    def readable(self, sock):
        future = Future()
        self.sel.register(sock, EVENT_READ, future)
        return future

    def run(self):
        while self.sel.get_map():
            for key, _ in self.sel.select():
                self.sel.unregister(key.fileobj)
                key.data.set_result(None)
# [/forty]


def say(sock, line):
    sock.send(line.encode())


def hear(loop, sock):
    yield from loop.readable(sock)
    return sock.recv(LINE_SIZE).decode()


def greet(loop, sock):
    say(sock, "who is there?")
    name = yield from hear(loop, sock)
    say(sock, f"hello {name}, where do you live?")
    town = yield from hear(loop, sock)
    say(sock, f"{name} of {town}, good bye")


async def visit(loop, socks):
    for door, answer in STEPS:
        await loop.readable(socks[door])
        line = socks[door].recv(LINE_SIZE).decode()
        print_out(f"{door + 1} hears: {line}\n")
        if answer:
            print_out(f"{door + 1} says: {answer}\n")
            say(socks[door], answer)


def main():
    read_command_line(PURPOSE, [])
    # One line is one message: SOCK_SEQPACKET keeps them apart.
    doors = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
    loop = Loop()
    for ours, _ in doors:
        Task(greet(loop, ours))
    Task(visit(loop, [theirs for _, theirs in doors]))
    loop.run()  # until nobody is watched any more
    for sock in sum(doors, ()):
        sock.close()


if __name__ == "__main__":
    main()
