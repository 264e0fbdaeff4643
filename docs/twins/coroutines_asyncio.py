#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The conversations of coroutines.py with asyncio, whose Future, Task and loop do more and
work alike.
"""
import asyncio
import socket

from command_line import read_command_line
from coroutines import LINE_SIZE, PURPOSE, STEPS, say
from fail import print_out


async def hear(sock):
    loop = asyncio.get_running_loop()
    return (await loop.sock_recv(sock, LINE_SIZE)).decode()


async def greet(sock):
    say(sock, "who is there?")
    name = await hear(sock)
    say(sock, f"hello {name}, where do you live?")
    town = await hear(sock)
    say(sock, f"{name} of {town}, good bye")


async def visit(socks):
    lines = []
    for door, answer in STEPS:
        line = await hear(socks[door])
        lines.append(f"{door + 1} hears: {line}\n")
        if answer:
            lines.append(f"{door + 1} says: {answer}\n")
            say(socks[door], answer)
    return lines


async def serve(doors):
    greeted = [greet(ours) for ours, _ in doors]
    *_, lines = await asyncio.gather(*greeted, visit([theirs for _, theirs in doors]))
    return lines


def main():
    read_command_line(PURPOSE, [])
    doors = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
    for sock in sum(doors, ()):
        sock.setblocking(False)
    print_out("".join(asyncio.run(serve(doors))))
    for sock in sum(doors, ()):
        sock.close()


if __name__ == "__main__":
    main()
