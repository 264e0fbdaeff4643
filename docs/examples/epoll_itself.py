# SPDX-License-Identifier: MIT
"""An epoll instance is itself a descriptor: /proc shows it, another loop can watch it,
and it is closed like any other.  epoll_itself.c is the same in C.
"""
import os
import select
import time


# [look]
def look(epoll):
    target = os.readlink(f"/proc/self/fd/{epoll.fileno()}")
    print(f"/proc/self/fd: {target}")

    other = select.poll()
    other.register(epoll, select.POLLIN)
    print(f"another loop: {len(other.poll(0))} ready")
# [/look]


# [wait]
def wait_three_ways(epoll, reader, writer):
    print(f"timeout 0: {len(epoll.poll(0))} ready, it only looks")

    start = time.monotonic()
    count = len(epoll.poll(0.05))  # seconds
    in_time = time.monotonic() - start >= 0.05
    print(f"timeout 50: {count} ready, after 50 ms: {'yes' if in_time else 'no'}")

    words = {reader: 42}  # the event carries the descriptor: look up your word
    os.write(writer, b"x")  # or the next call would never return
    ready = epoll.poll(-1)
    print(f"timeout -1: {len(ready)} ready, word {words[ready[0][0]]} comes back")
# [/wait]


# [main]
def main():
    reader, writer = os.pipe()
    epoll = select.epoll()
    epoll.register(reader, select.EPOLLIN)
    look(epoll)
    wait_three_ways(epoll, reader, writer)
    look(epoll)
    epoll.close()
    print("closed" if epoll.closed else "still open")
    os.close(reader)
    os.close(writer)
# [/main]


main()
