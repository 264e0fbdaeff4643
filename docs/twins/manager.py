# SPDX-License-Identifier: MIT
"""What multiprocessing.Manager is inside: a process that has a dict and a list, and
serves them to other processes over a socket.

One loop carries out one request at a time, so no request sees another half done.  The C
side of this file is demo/manager.c.
"""
import os
import re
import socket
from selectors import EVENT_READ, DefaultSelector

from chat_text import Line
from process import receive_line, run_in_child, send_line

LINE_LIMIT = 100


class Storage:
    def __init__(self):
        self.dict = {}
        self.list = []

    def carry_out(self, request):
        match request.split():
            case ["dict"]:
                return "{" + ", ".join(f"{k}: {v}" for k, v in self.dict.items()) + "}"
            case ["list"]:
                return str(self.list)
            case ["append", number] if re.fullmatch("-?[0-9]{1,9}", number):
                self.list.append(int(number))
            case ["set", key, number] if re.fullmatch("-?[0-9]{1,9}", number):
                self.dict[key] = int(number)
            case ["add", key, number] if re.fullmatch("-?[0-9]{1,9}", number):
                self.dict[key] = self.dict.get(key, 0) + int(number)
            case _:
                return "no"
        return "ok"


class Client:
    def __init__(self, sock, storage):
        self.sock = sock
        self.storage = storage
        self.line = Line(LINE_LIMIT)

    def serve(self, sel):
        data = self.sock.recv(LINE_LIMIT)
        if not data:
            sel.unregister(self.sock)
            self.sock.close()
        while data:
            data, complete = self.line.take(data)
            if complete:
                request = self.line.text.decode("utf-8", "replace")
                send_line(self.sock, self.storage.carry_out(request))
                self.line.clear()


def run_manager(listener, life, parents_end):
    parents_end.close()
    storage = Storage()
    sel = DefaultSelector()
    running = True

    def accept(sel):
        client = Client(listener.accept()[0], storage)
        sel.register(client.sock, EVENT_READ, client.serve)

    def stop(sel):
        nonlocal running
        running = False

    sel.register(listener, EVENT_READ, accept)
    sel.register(life, EVENT_READ, stop)
    while running:
        for key, _ in sel.select():
            key.data(sel)


class Manager:
    def __init__(self):
        self.life, life = socket.socketpair()  # the manager ends when this is closed
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("")  # the kernel chooses a name that is no file
        listener.listen(64)
        self.address = listener.getsockname()
        self.pid = run_in_child(run_manager, listener, life, self.life)
        listener.close()
        life.close()

    def stop(self):
        """Waits for its end."""
        self.life.close()
        os.waitpid(self.pid, 0)

    def connect(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(self.address)
        return sock


def ask_manager(sock, request):
    """Ask for something and wait for the answer, which is one line:
    set KEY NUMBER, add KEY NUMBER, append NUMBER, dict, list
    """
    send_line(sock, request)
    return receive_line(sock)
