# SPDX-License-Identifier: MIT
"""What multiprocessing.Manager is inside: a process that has a dict and a list, and
serves them to other processes over a socket.

One loop carries out one request at a time, so no request sees another half done.  The C
side of this file is demo/lessons/18_manager.c.
"""
import errno
import os
import re
import socket
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from chat_text import Line
from handlers import Handlers
from listen import Reserve, accept_client
from process import receive_line, run_in_child, send_line

PAIRS_MAX, LIST_MAX, LINE_LIMIT, HIGH_WATER = 64, 64, 100, 16 * 1024
PAUSE_SECONDS = 0.1  # when the kernel has no room for a client
INT_MIN, INT_MAX = -2**31, 2**31 - 1  # what the C side can hold


def read_number(text):
    """All of the text, or it is no number: None."""
    number = int(text) if re.fullmatch("-?[0-9]{1,10}", text) else INT_MAX + 1
    return number if INT_MIN <= number <= INT_MAX else None


class Storage:
    def __init__(self):
        self.dict = {}
        self.list = []

    def append(self, text):
        number = read_number(text)
        if number is None or len(self.list) == LIST_MAX:
            return "no"
        self.list.append(number)
        return "ok"

    def set(self, key, text, adds):
        number = read_number(text)
        has_room = key in self.dict or len(self.dict) < PAIRS_MAX
        if not re.fullmatch("[!-~]{1,15}", key) or number is None or not has_room:
            return "no"
        value = number + adds * self.dict.get(key, 0)
        if not INT_MIN <= value <= INT_MAX:
            return "no"
        self.dict[key] = value
        return "ok"

    def carry_out(self, request):
        match request.split(" "):
            case ["dict"]:
                return "{" + ", ".join(f"{k}: {v}" for k, v in self.dict.items()) + "}"
            case ["list"]:
                return str(self.list)
            case ["append", number]:
                return self.append(number)
            case ["set" | "add" as verb, key, number]:
                return self.set(key, number, verb == "add")
        return "no"


class Client:
    """Answers that its socket does not take are queued, and while HIGH_WATER bytes are
    queued its requests are not read: one that asks and never reads keeps nobody waiting.
    """

    def __init__(self, sock, storage):
        self.sock = sock
        self.storage = storage
        self.line = Line(LINE_LIMIT)
        self.ended = False  # it has sent its last byte
        self.queue = bytearray()

    def receive(self):
        data = self.sock.recv(LINE_LIMIT)
        self.ended = not data
        while data:
            data, complete = self.line.take(data)
            if complete:
                request = self.line.text.decode("latin-1")
                self.queue += f"{self.storage.carry_out(request)}\n".encode()
                self.line.clear()

    @property
    def events(self):
        reads = not self.ended and len(self.queue) < HIGH_WATER
        return EVENT_READ * reads | EVENT_WRITE * bool(self.queue)

    def serve(self, sel, mask):
        try:
            if mask & EVENT_READ:
                self.receive()
            if self.queue:
                del self.queue[:self.sock.send(self.queue)]
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True
            self.queue.clear()
        if self.events:
            sel.modify(self.sock, self.events, self.serve)
        else:
            sel.unregister(self.sock)
            self.sock.close()


class Listener:
    def __init__(self, sock, storage, sel, timers):
        self.sock, self.storage, self.sel, self.timers = sock, storage, sel, timers
        self.reserve = Reserve()
        self.listen()

    def listen(self):
        self.sel.register(self.sock, EVENT_READ, self.accept)

    def accept(self, sel, mask):
        try:
            client = Client(accept_client(self.sock, self.reserve), self.storage)
            sel.register(client.sock, client.events, client.serve)
        except (BlockingIOError, ConnectionAbortedError):
            pass
        except OSError as error:
            # A listener readable but not accepted from would keep the loop spinning.
            if error.errno != errno.EMFILE:
                sel.unregister(self.sock)
                self.timers.call_later(PAUSE_SECONDS, self.listen)


def run_manager(listener, life, parents_end):
    parents_end.close()
    sel, timers = DefaultSelector(), Handlers()
    running = True

    def stop(sel, mask):
        nonlocal running
        running = False

    Listener(listener, Storage(), sel, timers)
    sel.register(life, EVENT_READ, stop)
    while running:
        for key, mask in sel.select(timers.timeout()):
            key.data(sel, mask)
        timers.run()


class Manager:
    def __init__(self):
        self.life, life = socket.socketpair()  # the manager ends when this is closed
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("")  # the kernel chooses a name that is no file
        listener.listen(64)
        listener.setblocking(False)
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
