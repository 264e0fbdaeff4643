# SPDX-License-Identifier: MIT
"""What the tests of other libraries on selkie share: a class for each backend, the programs
that meson has built, and real servers, each on a port of its own and always ended.

A test file is run as

    python3 test_curl.py --programs DIR [unittest's arguments]

where DIR is build/gcc/test/libraries, say.  What is missing, a program because its library
was not there or a server, is skipped with a reason.
"""

import contextlib
import ctypes
import os
import pathlib
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'python'))

import support  # noqa: E402 (it is found only now)

BACKENDS = support.BACKENDS
NESTING = ['uv', 'epoll']  # those that can be inside another loop
PATIENCE = 60  # seconds for a program that has to end; a busy machine is slow
HOST = '127.0.0.1'
PR_SET_PDEATHSIG = 1  # of prctl(2)


def for_each_backend(base, namespace, backends=BACKENDS):
    """A test class for every backend: Curl_uv, Curl_epoll ...; its name gives the column in
    the results.

    `base` is no TestCase.  Each is a Backend as well.
    """
    for backend in backends:
        name = f'{base.__name__}_{backend}'
        namespace[name] = type(name, (base, Backend, unittest.TestCase), {
            'backend': backend, '__module__': base.__module__})


def program(name):
    """The path of a program that meson built, or the test is skipped."""
    path = support.programs / name
    if not path.exists():
        raise unittest.SkipTest(f'{name} was not built: its library is missing')
    return str(path)


def tool(name, package):
    """The path of a server or a tool of Debian's, or the test is skipped."""
    path = os.environ.get('PATH', '') + ':/usr/sbin:/sbin'
    found = shutil.which(name, path=path)
    if found is None:
        raise unittest.SkipTest(f'no {name} here (Debian: {package})')
    return found


def environment(backend=None):
    """Of a program, on a backend."""
    changed = {**os.environ, 'LC_ALL': 'C', 'PYTHONDONTWRITEBYTECODE': '1'}
    changed.pop('SELKIE_BACKEND', None)
    if backend:
        changed['SELKIE_BACKEND'] = backend
    return changed


def die_with_us():
    """Of a process just started: it does not outlive these tests, whatever ends them."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def read_line(process, patience=PATIENCE):
    """The next line of a program's output, '' at its end; it is killed if none comes."""
    fd, line = process.stdout.fileno(), b''
    deadline = time.monotonic() + patience
    while not line.endswith(b'\n'):
        if not select.select([fd], [], [], max(0, deadline - time.monotonic()))[0]:
            process.kill()
            raise TimeoutError(f'{process.args[0]} says nothing')
        byte = os.read(fd, 1)
        if not byte:
            break
        line += byte
    return line.decode()


def start(name, *arguments, backend=None):
    """A program, with pipes for all three streams; end() ends it."""
    return subprocess.Popen(
        [program(name), *map(str, arguments)], env=environment(backend),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=die_with_us)


class Backend:
    """What a test class of for_each_backend() can do."""

    backend = None

    def run_program(self, name, *arguments, patience=PATIENCE):
        """A program on this backend, to its end: a CompletedProcess with text."""
        return subprocess.run(
            [program(name), *map(str, arguments)], env=environment(self.backend), text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=patience)

    def start_program(self, name, *arguments):
        """One that goes on, with pipes for all three streams; ended with the test."""
        process = start(name, *arguments, backend=self.backend)
        self.addCleanup(end, process)
        return process

    def end_program(self, process):
        """Its stdin ends, and so it does, with nothing on stderr and status 0; its stdout."""
        output, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, errors.decode()), (0, ''))
        return output.decode()

    def wait_for(self, condition):
        """Until it holds; what another process does gives no notice."""
        self.assertTrue(support.eventually(condition), condition)

    def assert_comes_again(self, server, name, address, refused='refused\n'):
        """A program that is to survive its server makes its connection under the number that
        it had, each time; `refused` is what it says while there is no server.
        """
        process = self.start_program(name, 'survive', address)
        made = read_line(process)
        self.assertRegex(made, r'\Amade \d+\n\Z')
        for _ in range(3):
            server.stop()
            self.assertEqual(read_line(process), 'lost\n')
            self.assertEqual(read_line(process), refused or made.replace('made', 'served'))
            server.start()
            self.assertEqual(read_line(process), made)
        self.assertTrue(self.end_program(process).endswith('end\n'))

    def assert_succeeds(self, ended):
        """It said nothing on stderr (a sanitizer would) and its status is 0."""
        self.assertEqual((ended.returncode, ended.stderr), (0, ''), ended.stdout)

    def assert_fails(self, ended):
        """One plain line and a status that is not 0, and no crash."""
        self.assertGreater(ended.returncode, 0, ended.stderr)
        self.assertRegex(ended.stderr, r'\A[^\n]+\n\Z')


def end(process):
    """By its number; a program that the test has ended already is only reaped."""
    process.kill()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            with contextlib.suppress(OSError):
                stream.close()
    process.wait()


@contextlib.contextmanager
def nobody():
    """A port on which nobody listens, for the time being."""
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        yield holder.getsockname()[1]


@contextlib.contextmanager
def rude_server(path=None):
    """One that hangs up on everybody: its port, or it is at the path of a Unix socket."""
    with socket.socket(socket.AF_UNIX if path else socket.AF_INET) as listener:
        listener.bind(path or (HOST, 0))
        listener.listen()

        def hang_up():
            with contextlib.suppress(OSError):  # the end
                while True:
                    listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        try:
            yield path or listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def descriptors(process):
    """How many a program has open."""
    return len(os.listdir(f'/proc/{process.pid}/fd'))


def unprivileged(name='nobody'):
    """Arguments of Popen for a server that refuses root; {} where we are not root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam(name)
    return {'user': user.pw_uid, 'group': user.pw_gid, 'extra_groups': []}


class Server:
    """A real server in a folder of its own, on a port that the kernel picked.

    `command(server)` gives its command line, and may write files into server.folder.  It is
    up as soon as server.port accepts a connection, or when `is_up(server)` says so.  stop()
    and start() again are on the same port: a socket that is bound to it, and does not
    listen, keeps it from others (servers set SO_REUSEADDR).
    """

    def __init__(self, command, is_up=None, user=None):
        self.command, self.is_up = command, is_up or Server.accepts
        self.process = None
        self.privilege = unprivileged(user) if user else {}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='selkie-'))
        self.holder = None
        if self.privilege:
            os.chown(self.folder, self.privilege['user'], self.privilege['group'])
        try:
            self.start_somewhere()
        except BaseException:
            self.close()
            raise

    def start_somewhere(self):
        """Of UDP's ports none can be kept, so one that was free may be taken by now."""
        for is_last in (False, False, True):
            self.holder = socket.socket()
            self.holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.holder.bind((HOST, 0))
            self.port = self.holder.getsockname()[1]
            try:
                return self.start()
            except RuntimeError:
                if is_last:
                    raise
                self.holder.close()

    def accepts(self):
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 5):
            return True
        return False

    def start(self):
        with open(self.folder / 'log', 'ab') as log:
            self.process = subprocess.Popen(
                list(map(str, self.command(self))), cwd=self.folder, env=environment(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0,
                preexec_fn=die_with_us, **self.privilege)
        if not support.eventually(lambda: self.process.poll() is not None or self.is_up(self)):
            raise TimeoutError(f'{self.process.args[0]} does not come up:\n{self.said()}')
        if self.process.poll() is not None:
            raise RuntimeError(f'{self.process.args[0]} has ended:\n{self.said()}')

    def stop(self, signum=signal.SIGKILL):
        """End it, and the processes it has started; SIGKILL is a crash to its clients."""
        if self.process is None or self.process.returncode is not None:
            return
        os.killpg(self.process.pid, signum)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def has_clients(self):
        """Somebody is connected to it."""
        address = f':{self.port:04X} '
        for line in pathlib.Path('/proc/net/tcp').read_text().splitlines()[1:]:
            local, _, state = line.split()[1:4]
            if (local + ' ').endswith(address) and state == '01':
                return True
        return False

    def said(self):
        return (self.folder / 'log').read_text(errors='replace')

    def close(self):
        self.stop()
        if self.holder:
            self.holder.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    """unittest.main(), after taking --programs from the command line."""
    support.main()
