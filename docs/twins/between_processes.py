#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Six ways that threads and processes share something, or don't.

Threads have one memory; a forked process has a copy.  What a process is to learn from
another has to be sent as bytes, be kept by a third, or lie in memory that both have
mapped, which shared_memory shows.  Every child here ends before its part does.
demo/lessons/18_between_processes.c is the same program in C.
"""
import os
import queue as queues
import signal
import socket
import struct
import threading
from selectors import EVENT_READ, DefaultSelector

from command_line import read_command_line
from fail import print_out
from handlers import Handlers
from manager import Manager, ask_manager
from process import run_in_child, wait_for_all

ADDERS, ADDITIONS, MANAGED = 4, 1000, 10
HEAD = struct.Struct("!Ii")
COUNTER = struct.Struct("i")

PURPOSE = "Six ways that threads and processes share something, or don't."

queue = queues.Queue()


def put_hello():
    queue.put("hello")


def threads_share():
    thread = threading.Thread(target=put_hello)
    thread.start()
    print_out(f"threads share: a thread has put '{queue.get()}' into the queue\n")
    thread.join()


def put_and_count():
    put_hello()
    return queue.qsize()


def fork_copies():
    _, status = os.waitpid(run_in_child(put_and_count), 0)
    print_out(f"a fork copies: the child's queue has {os.WEXITSTATUS(status)},"
              f" its parent's {queue.qsize()}\n")


def send_message(sock, number, text):
    """Sent as bytes that mean the same anywhere: sizes and numbers in network order."""
    data = text.encode()
    sock.sendall(HEAD.pack(len(data), number) + data)


def receive_exactly(sock, size):
    data = bytearray()
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            raise ConnectionResetError("the other process is gone")
        data += part
    return data


def receive_message(sock):
    size, number = HEAD.unpack(receive_exactly(sock, HEAD.size))
    return number, receive_exactly(sock, size).decode()


def exchange(sock, parents_end):
    parents_end.close()
    send_message(sock, 11, "hello from the child")
    send_message(sock, 22, "hello again")
    number, text = receive_message(sock)
    send_message(sock, number + 1, text)


def pair_carries():
    ours, theirs = socket.socketpair()
    pid = run_in_child(exchange, theirs, ours)
    theirs.close()
    send_message(ours, 20, "hello from the parent")
    for _ in range(3):
        number, text = receive_message(ours)
        print_out(f"a pair carries: {number} '{text}'\n")
    ours.close()
    os.waitpid(pid, 0)


def write_sum(fd, first):
    """In one write() of at most PIPE_BUF bytes: nobody else's gets between."""
    os.write(fd, COUNTER.pack(sum(range(first, first + ADDITIONS))))


def pipe_collects():
    reader, writer = os.pipe()
    for i in range(ADDERS):
        run_in_child(write_sum, writer, i * ADDITIONS)
    os.close(writer)  # or read() would wait for us after the last of them
    total = 0
    while data := os.read(reader, COUNTER.size):
        total += COUNTER.unpack(data)[0]
    os.close(reader)
    wait_for_all(ADDERS)
    print_out(f"a pipe collects: {ADDERS} processes have summed up {total}\n")


def use_manager(manager, number):
    with manager.connect() as sock:
        ask_manager(sock, f"append {number}")
        ask_manager(sock, "add processes 1")
        ask_manager(sock, f"add sum {number}")


def manager_keeps():
    manager = Manager()
    for number in range(1, MANAGED + 1):
        run_in_child(use_manager, manager, number)
    wait_for_all(MANAGED)
    with manager.connect() as sock:
        print_out(f"a manager keeps: {ask_manager(sock, 'dict')}\n")
        print_out("a manager keeps, in the order they came:"
                  f" {ask_manager(sock, 'list')}\n")
    manager.stop()


def signal_parent(sock, parents_end):
    parents_end.close()
    os.kill(os.getppid(), signal.SIGUSR1)
    sock.recv(1)  # until a signal, or the parent's end


def signals_tell():
    ours, theirs = socket.socketpair()
    sel, handlers = DefaultSelector(), Handlers()
    child, running = 0, True

    def signalled():
        print_out("signals tell: SIGUSR1 has come from the child\n")
        os.kill(child, signal.SIGTERM)

    def child_ended():
        nonlocal running
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid == child:
            print_out("signals tell: the child was ended by signal"
                      f" {os.WTERMSIG(status)}\n")
            running = False

    sel.register(handlers, EVENT_READ)
    handlers.add_signal_handler(signal.SIGUSR1, signalled)
    handlers.add_signal_handler(signal.SIGCHLD, child_ended)
    child = run_in_child(signal_parent, theirs, ours)
    while running:
        sel.select()
        handlers.run()
    sel.close()


def main():
    read_command_line(PURPOSE, [])
    for part in (threads_share, fork_copies, pair_carries, pipe_collects,
                 manager_keeps, signals_tell):
        part()


if __name__ == "__main__":
    main()
