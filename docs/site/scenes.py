# SPDX-License-Identifier: MIT
"""The lessons' programs on a stage: started, driven as a person would, and noted down.

A Stage plays one side, C or Python, of one lesson.  What is done and what is heard come
out of it as lines, the transcript; what is done also as (time, text), the acts that a
timeline shows.  Nothing here waits by sleeping but pause(), which is for pictures alone:
every step is over when its answer has been read.  docs/site/scene_list.py has the scenes.
"""
import contextlib
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TWINS = Path(__file__).resolve().parents[1] / "twins"
PATIENCE = 60  # seconds after which a step is given up
PAUSE = 0.06  # so long a picture shows what waits
DESCRIPTORS = 12000
SIDES = ("c", "python")


class StageError(Exception):
    """A program did not do what the scene expects."""


def allow_descriptors():
    """As many as may be had, as far as the lessons need them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS:
        unlimited = hard == resource.RLIM_INFINITY
        soft = DESCRIPTORS if unlimited else min(hard, DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Reader:
    """Lines of a pipe or a terminal, as they come."""

    def __init__(self, fd):
        self.fd = fd
        self.rest = b""

    def more(self):
        if not select.select([self.fd], [], [], PATIENCE)[0]:
            raise StageError("nothing comes")
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # a terminal whose last user is gone
            data = b""
        self.rest += data.replace(b"\r\n", b"\n")
        return bool(data)

    def line(self):
        """One line, or None at the end."""
        while b"\n" not in self.rest:
            if not self.more():
                return None
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()

    def all(self):
        while self.more():
            pass
        text, self.rest = self.rest.decode(), b""
        return text.splitlines()


class Program:
    """A running program.  What it says is read from one pipe, stdout and stderr in their
    order; a traced one has a terminal, so that every line is a write of its own.
    """

    def __init__(self, stage, name, arguments, keyboard=None, traced=False):
        self.stage, self.name, self.traced = stage, name, traced
        command = stage.command(name, arguments)
        if traced:
            command = stage.tracer.command(command)
            ours, theirs = os.openpty()
        else:
            ours, theirs = os.pipe()
        self.process = subprocess.Popen(
            command, stdin=keyboard or subprocess.DEVNULL, stdout=theirs, stderr=theirs,
            env=stage.environment(), start_new_session=True,
            preexec_fn=allow_descriptors)
        os.close(theirs)
        self.reader = Reader(ours)
        self.letters = {}

    def clean(self, line):
        """Without what differs from run to run: its port, its clients' descriptors."""
        line = line.removeprefix(f"{self.name}.py: ").removeprefix(f"{self.name}: ")
        if found := re.fullmatch(r"(\d+): (.*)", line):
            if found[2] == "accepted" or found[1] not in self.letters:
                self.letters[found[1]] = chr(ord("A") + len(self.letters))
            line = f"{self.letters[found[1]]}: {found[2]}"
        return re.sub(r"(127\.0\.0\.1[: ])\d+", r"\g<1>1234", line)

    def says(self, count=1):
        """The next lines that it prints."""
        for _ in range(count):
            line = self.reader.line()
            if line is None:
                raise StageError(f"{self.name} has ended")
            self.stage.line("    " + self.clean(line))

    def says_the_rest(self):
        for line in self.reader.all():
            self.stage.line("    " + self.clean(line))
        status = self.process.wait(PATIENCE)
        if status != 0:
            raise StageError(f"{self.name} ended with {status}")

    def stop(self, how="SIGTERM comes"):
        self.stage.act(how)
        if self.traced:
            self.stage.tracer.end()
        self.process.send_signal(signal.SIGTERM)
        self.says_the_rest()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.reader.fd)


class Client:
    """A socket with a name, connected to a program on the stage."""

    def __init__(self, stage, name, server):
        self.stage, self.name = stage, name
        stage.act(f"{name} connects")
        self.sock = socket.create_connection(server.address, PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stage.closing.callback(self.sock.close)
        stage.pause()

    def send(self, text, flags=0):
        self.stage.act(f"{self.name} sends {text!r}" if not flags
                       else f"{self.name} sends {text!r}, urgent")
        self.sock.send(text.encode(), flags)
        self.stage.pause()

    def read(self, size):
        data = b""
        while len(data) < size and (more := self.sock.recv(size - len(data))):
            data += more
        self.stage.line(f"{self.name} reads {data.decode()!r}" if data
                        else f"{self.name} reads the end")

    def read_line(self):
        data = b""
        while not data.endswith(b"\n") and (more := self.sock.recv(1)):
            data += more
        self.stage.line(f"{self.name} reads {data.decode()!r}")

    def end(self):
        self.stage.act(f"{self.name} ends")
        self.sock.shutdown(socket.SHUT_WR)
        self.stage.pause()

    def close(self):
        self.stage.act(f"{self.name} closes")
        self.sock.close()
        self.stage.pause()

    def reset(self):
        self.stage.act(f"{self.name} resets")
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        self.stage.pause()


class Stage:
    """A context manager; no program outlives it.  `tracer` is None, or has a
    command(command) that puts strace before a command.
    """

    def __init__(self, side, programs, tracer=None, backend=None):
        self.side, self.programs, self.tracer = side, programs, tracer
        self.backend = backend  # of the C programs; None: the default
        self.lines, self.acts = [], []
        self.closing = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.closing.close()

    def command(self, name, arguments):
        if self.side == "c":
            return [str(self.programs / name), *arguments]
        return [sys.executable, str(TWINS / f"{name}.py"), *arguments]

    def environment(self):
        environment = {**os.environ, "LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "1",
                       "PYTHONUNBUFFERED": "1"}
        for name in ("SELKIE_BACKEND", "SELKIE_DEBUG"):
            environment.pop(name, None)
        if self.backend:
            environment["SELKIE_BACKEND"] = self.backend
        return environment

    def line(self, text):
        self.lines.append(text)

    def act(self, text):
        self.line(text)
        self.acts.append((time.time(), text))

    def pause(self):
        if self.tracer:
            time.sleep(PAUSE)

    def start(self, name, *arguments, shown=None, traced=True, keyboard=None):
        """A program that runs while the scene goes on."""
        given = "".join(f" {word}" for word in (arguments if shown is None else shown))
        self.line(f"$ {name}{given}")
        program = Program(self, name, arguments, keyboard, traced and bool(self.tracer))
        self.closing.callback(program.close)
        return program

    def serve(self, name, *arguments, traced=True):
        """A server, on a port that the kernel picks."""
        server = self.start(name, *arguments, "--port", "0", shown=arguments,
                            traced=traced)
        listening = server.reader.line() or ""
        found = re.fullmatch(r"listening on ([0-9.]+):(\d+)", listening)
        if not found:
            raise StageError(f"{name}: {listening}")
        server.address = found[1], int(found[2])
        self.line("    " + server.clean(listening))
        server.reader.line()  # how to try it
        if traced and self.tracer:
            self.tracer.begin()
        self.pause()
        return server

    def run(self, name, *arguments, shown=None, traced=True, given=b""):
        """A program to its end."""
        with tempfile.TemporaryFile() as keyboard:
            keyboard.write(given)
            keyboard.seek(0)
            self.start(name, *arguments, shown=shown, traced=traced,
                       keyboard=keyboard).says_the_rest()
