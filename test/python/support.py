# SPDX-License-Identifier: MIT
"""What the black-box tests of the servers share: the servers, started on a port
that the kernel picks and always reaped, and clients that give up after a while.

Each test file is run as

    python3 test_servers.py --programs DIR [unittest's arguments]

where DIR holds the compiled demo programs.
"""
import contextlib
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

TWINS = Path(__file__).resolve().parents[2] / "docs" / "twins"
PATIENCE = 20  # seconds after which a client or a server is given up
FD_SETSIZE = 1024
BACKENDS = ["uv", "epoll", "poll", "select"]
INSTRUMENTED = "TEST_INSTRUMENTED" in os.environ  # memory and time are the instrument's

programs = None  # the directory of the compiled programs


class Kind:
    """A server program, and for the C one the backend it runs on."""

    has_hint = True  # its second line says how to try it

    def __init__(self, name, program, backend=None, room=None):
        self.name = name
        self.program = program
        self.backend = backend
        self.room = room  # it holds descriptors below this one; None: any

    @property
    def turn(self):
        """Which tests are its own where each is run on one backend: every fourth from here."""
        return BACKENDS.index(self.backend) if self.backend else None

    @property
    def is_select_loop(self):
        return self.program.startswith("select_loop")

    def command(self, *arguments):
        if self.program.endswith(".py"):
            return [sys.executable, str(TWINS / self.program), *arguments]
        return [str(programs / self.program), *arguments]

    def environment(self):
        environment = {**os.environ, "LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop("SELKIE_BACKEND", None)
        # A sanitizer keeps freed memory for a while; a little will do, as its size is
        # measured here.
        sanitizer = environment.get("ASAN_OPTIONS", "")
        environment["ASAN_OPTIONS"] = f"{sanitizer}:quarantine_size_mb=1"
        if self.backend:
            environment["SELKIE_BACKEND"] = self.backend
        return environment


KINDS = [
    Kind("echo_server_uv", "echo_server", "uv"),
    Kind("echo_server_epoll", "echo_server", "epoll"),
    Kind("echo_server_poll", "echo_server", "poll"),
    Kind("echo_server_select", "echo_server", "select", FD_SETSIZE),
    Kind("select_loop", "select_loop", None, FD_SETSIZE),
    Kind("echo_server_twin", "echo_server.py"),
    Kind("select_loop_twin", "select_loop.py", None, FD_SETSIZE),
]


def for_each_kind(base, namespace):
    """A test class for every server, so that each is counted and named."""
    for kind in KINDS:
        name = f"{base.__name__}_{kind.name}"
        namespace[name] = type(name, (base, unittest.TestCase), {
            "kind": kind, "turn": kind.turn, "__module__": base.__module__})


class Server:
    """A running server.  A context manager; its process never outlives it."""

    def __init__(self, kind, *arguments, descriptors=None):
        def limit_descriptors():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        self.kind = kind
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            kind.command("--port", "0", *arguments), env=kind.environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log,
            preexec_fn=limit_descriptors)
        try:
            self.listening = self.process.stdout.readline().decode()
            self.hint = self.process.stdout.readline().decode() if kind.has_hint else ""
            host, port = re.fullmatch(r"listening on \[?([0-9a-f.:]+?)\]?:(\d+)\n",
                                      self.listening).groups()
        except BaseException:
            self.close()
            raise
        self.address = (host, int(port))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def send_signal(self, signum):
        self.process.send_signal(signum)

    def wait(self):
        return self.process.wait(PATIENCE)

    def stop(self, signum=signal.SIGTERM):
        """The exit code."""
        self.send_signal(signum)
        return self.wait()

    def errors(self):
        """What it has said on stderr.  Read where it stands: the offset is the server's,
        too, and its next line would overwrite what a seek() goes back to.
        """
        size = os.fstat(self.log.fileno()).st_size
        return os.pread(self.log.fileno(), size, 0).decode()

    def echoed(self):
        """How many bytes it took from clients; it runs with --verbose."""
        return sum(map(int, re.findall(r"echoing (\d+) bytes", self.errors())))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def allow_descriptors(self, count):
        """From now on; what is open beyond stays open.  Returns how many were allowed."""
        allowed, most = resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (count, most))
        return allowed

    def memory(self):
        """Its resident size in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    def cpu(self):
        """The CPU time it has used, in seconds."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def connect(self, receive_buffer=None):
        """A client; one that means to read slowly has a small receive buffer."""
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if receive_buffer:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.connect(self.address)
        except BaseException:
            sock.close()
            raise
        return sock


@contextlib.contextmanager
def every_server(*arguments, **limits):
    """All of them at once, for what takes its time."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Server(kind, *arguments, **limits)) for kind in KINDS]


@contextlib.contextmanager
def closing_all():
    """A list whose sockets are closed at the end."""
    socks = []
    try:
        yield socks
    finally:
        for sock in socks:
            sock.close()


def read_exactly(sock, size):
    """`size` bytes, or fewer when the other end closes first."""
    data = bytearray()
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            break
        data += more
    return bytes(data)


def read_to_end(sock):
    data = bytearray()
    while more := sock.recv(65536):
        data += more
    return bytes(data)


def ask(sock, message):
    """Send a message and read as much back."""
    sock.sendall(message)
    return read_exactly(sock, len(message))


def pump(sock, data):
    """Send `data` and our end while reading whatever comes, to the end."""
    received, sent = bytearray(), 0
    sock.setblocking(False)
    while True:
        writers = [sock] if sent < len(data) else []
        readable, writable, _ = select.select([sock], writers, [], PATIENCE)
        if not (readable or writable):
            raise TimeoutError("the server does not go on")
        if writable:
            sent += sock.send(data[sent:sent + 65536])
            if sent == len(data):
                sock.shutdown(socket.SHUT_WR)
        if readable:
            more = sock.recv(65536)
            if not more:
                return bytes(received)
            received += more


def fill(socks, data, quiet=0.3):
    """Send `data` to all and never read, until none takes more; returns how much each
    has taken.
    """
    sent = {sock: 0 for sock in socks}
    for sock in socks:
        sock.setblocking(False)
    while more := [sock for sock in socks if sent[sock] < len(data)]:
        writable = select.select([], more, [], quiet)[1]
        if not writable:
            break
        for sock in writable:
            with contextlib.suppress(BlockingIOError):
                sent[sock] += sock.send(data[sent[sock]:sent[sock] + 65536])
    for sock in socks:
        sock.settimeout(PATIENCE)
    return list(sent.values())


def reset(sock):
    """Close with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def eventually(condition):
    """Look until it holds; what another process does in /proc gives no notice."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def allowed_descriptors():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


# What these show, without options, needs so many.
SHOWN = {"claims": 1600, "how_many": 10200, "load": 10200, "select_call": 1100,
         "selector_key": 1600}


def need_descriptors(test, wanted):
    """A number, or a program that shows so many; else the test is left out."""
    count = SHOWN.get(wanted.removesuffix(".py"), 0) if isinstance(wanted, str) else wanted
    if allowed_descriptors() < count:
        test.skipTest(f"{allowed_descriptors()} descriptors are too few")


def has_ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        return True
    return False


def forget_signals():
    """What these tests were started with, under nohup or in a shell's `&`, is not what
    they test.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for signum in signal.valid_signals() - {signal.SIGINT, signal.SIGKILL, signal.SIGSTOP,
                                            signal.SIGPIPE, signal.SIGXFSZ}:
        signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Loader(unittest.TestLoader):
    """Where an instrument watches the C programs, nothing that is about a twin alone, and
    each test on one backend, the next test on the next.
    """

    def getTestCaseNames(self, testCaseClass):
        names = super().getTestCaseNames(testCaseClass)
        if not INSTRUMENTED:
            return names
        if getattr(testCaseClass, "turn", None) is not None:
            names = names[testCaseClass.turn::len(BACKENDS)]
        return [name for name in names if "twin" not in testCaseClass.__name__ + name]


def main():
    """unittest.main(), after taking --programs from the command line."""
    global programs
    if len(sys.argv) < 3 or sys.argv[1] != "--programs":
        sys.exit(f"usage: {sys.argv[0]} --programs DIR [unittest's arguments]")
    programs = Path(sys.argv[2]).resolve()
    del sys.argv[1:3]
    forget_signals()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, allowed_descriptors()), hard))
    unittest.main(module="__main__", testLoader=Loader())
