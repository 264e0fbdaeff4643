#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""OpenSSL on selkie: the echo server, and clients of Python's and of OpenSSL's own.

    python3 test_openssl.py --programs DIR [unittest's arguments]
"""

import contextlib
import itertools
import pathlib
import re
import select
import signal
import socket
import ssl
import subprocess
import tempfile
import unittest

import backends

SIZE = 4 << 20  # of each client's stream
MUCH = 64 << 20  # more than two sockets hold
QUIET = 0.2  # seconds after which a socket is full
folder = None


def setUpModule():
    global folder
    backends.program('openssl')
    openssl = backends.tool('openssl', 'openssl')
    directory = tempfile.TemporaryDirectory(prefix='selkie-')
    unittest.addModuleCleanup(directory.cleanup)
    folder = pathlib.Path(directory.name)
    subprocess.run(
        [openssl, 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
         '-nodes', '-keyout', folder / 'key', '-out', folder / 'certificate', '-days', '2',
         '-subj', '/CN=localhost'], check=True, capture_output=True)


def certificate():
    return folder / 'certificate', folder / 'key'


class OpenSSL:
    def setUp(self):
        self.process = self.start_program('openssl', *certificate())
        line = backends.read_line(self.process)
        self.port = int(re.fullmatch(r'listening on 127\.0\.0\.1:(\d+)\n', line)[1])
        self.context = ssl.create_default_context(cafile=str(folder / 'certificate'))

    def stop(self):
        """It ends well: under a sanitizer without a leak."""
        self.process.send_signal(signal.SIGTERM)
        output, errors = self.process.communicate(timeout=backends.PATIENCE)
        self.assertEqual((self.process.returncode, output, errors), (0, b'', b''))

    def connect(self):
        sock = socket.create_connection((backends.HOST, self.port), backends.PATIENCE)
        return self.context.wrap_socket(sock, server_hostname='localhost')

    def test_echo(self):
        with self.connect() as client:
            for message in (b'hello', b'x' * 40_000, b'.'):
                client.sendall(message)
                self.assertEqual(backends.support.read_exactly(client, len(message)), message)
            client.unwrap().close()  # it answers the end with its own
        self.stop()

    def test_clients_that_are_no_tls(self):
        for said in (b'', b'GET / HTTP/1.0\r\n\r\n', b'\x16\x03\x01'):
            with socket.create_connection((backends.HOST, self.port)) as client:
                client.settimeout(backends.PATIENCE)
                with contextlib.suppress(OSError):  # it may have reset it by then
                    client.sendall(said)
                    client.shutdown(socket.SHUT_WR)
                    backends.support.read_to_end(client)
        self.test_echo()

    def test_it_ends_with_clients(self):
        with self.connect() as client, socket.create_connection((backends.HOST, self.port)):
            client.sendall(b'?')
            self.assertEqual(client.recv(1), b'?')
            self.stop()


    def test_a_hundred_clients(self):
        """What each sends comes back while it sends: no more is taken than is given back."""
        clients = [Client(self.connect(), bytes([i]) * 1021) for i in range(100)]
        drive(clients, SIZE)
        for client in clients:
            self.assertEqual((client.sent, client.received), (SIZE, SIZE))
            client.sock.close()
        self.stop()

    def test_a_client_that_does_not_read(self):
        """It is not served beyond what its socket holds, harms nobody, and gets it all when
        it reads at last.
        """
        greedy = Client(self.connect(), bytes(range(256)) * 4)
        while greedy.sent < MUCH and select.select([], [greedy.sock], [], QUIET)[1]:
            greedy.send(MUCH)
        self.assertLess(greedy.sent, MUCH)
        with self.connect() as client:
            client.sendall(b'?')
            self.assertEqual(client.recv(1), b'?')
        drive([greedy], greedy.sent + 100_000)
        greedy.sock.close()
        self.stop()

    def test_clients_that_come_and_go(self):
        """The numbers that the server closes are those of the next clients."""
        before = backends.descriptors(self.process)
        for round_ in range(5):
            socks = [socket.create_connection((backends.HOST, self.port)) for i in range(30)]
            for sock in socks[::3]:
                backends.support.reset(sock)  # before the handshake
            clients = [self.context.wrap_socket(sock, server_hostname='localhost')
                       for sock in socks[1::3]]
            for i, client in enumerate(clients):
                client.sendall(bytes([i]) * 5000)
                if i % 2:
                    backends.support.reset(client)  # with something on its way
            for sock in socks[2::3]:
                sock.sendall(b'\x16\x03\x01')
                sock.close()  # within it
            for i, client in list(enumerate(clients))[::2]:
                self.assertEqual(backends.support.read_exactly(client, 5000),
                                 bytes([i]) * 5000)
                client.close()
        self.wait_for(lambda: backends.descriptors(self.process) == before)
        self.stop()

    def test_openssls_own_client(self):
        """Its K asks for new keys, both ways: the server has to write where it reads."""
        command = [backends.tool('openssl', 'openssl'), 's_client', '-connect',
                   f'{backends.HOST}:{self.port}', '-CAfile', folder / 'certificate']
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        self.addCleanup(backends.end, client)
        for word in ('first', 'second', 'third'):
            client.stdin.write(f'{word}\n'.encode())
            client.stdin.flush()
            self.assertIn(f'{word}\n', iter(lambda: backends.read_line(client), ''))
            client.stdin.write(b'K\n')  # alone in what is read at once, or else it is text
            client.stdin.flush()
            self.assertIn('KEYUPDATE\n', iter(lambda: backends.read_line(client), ''))
        self.assertEqual(client.communicate(b'Q\n', backends.PATIENCE)[1], None)
        self.assertEqual(client.returncode, 0)
        self.stop()


class Client:
    """One end that sends a pattern over and over, and takes it back."""

    def __init__(self, sock, pattern):
        self.sock, self.pattern, self.period = sock, pattern * 33, len(pattern)
        self.sent = self.received = 0
        sock.setblocking(False)

    def part(self, start, size):
        start %= self.period
        return self.pattern[start:start + size]

    def send(self, size):
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            while self.sent < size:
                self.sent += self.sock.send(self.part(self.sent, min(32_000,
                                                                     size - self.sent)))

    def receive(self, size):
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            while self.received < size:
                data = self.sock.recv(32_000)
                if data != self.part(self.received, len(data)) or not data:
                    raise AssertionError(f'{len(data)} bytes that were not sent')
                self.received += len(data)


def drive(clients, size):
    """All of them until each has its bytes back."""
    poll = select.poll()
    known = {client.sock.fileno(): client for client in clients}
    for fd in known:
        poll.register(fd, select.POLLIN | select.POLLOUT)
    while known:
        events = poll.poll(backends.PATIENCE * 1000)
        if not events:
            raise TimeoutError('the server does not go on')
        for fd, event in events:
            client = known[fd]
            client.receive(size)
            client.send(size)
            if client.sent == size:
                poll.modify(fd, select.POLLIN)
            if client.received == size:
                poll.unregister(fd)
                del known[fd]


def s_server(server):
    """OpenSSL's own, which gives every line back from behind."""
    return [backends.tool('openssl', 'openssl'), 's_server', '-accept',
            f'{backends.HOST}:{server.port}', '-cert', certificate()[0], '-key',
            certificate()[1], '-rev', '-num_tickets', '0']


class Driven:
    """openssl_driver.c, a client that takes lines and counts what is left at its end."""

    loop = 'selkie'

    def setUp(self):
        self.process = self.start_program(f'openssl_in_{self.loop}', folder / 'certificate')
        self.server = backends.Server(s_server)
        self.addCleanup(self.server.close)

    def tell(self, *words):
        self.process.stdin.write((' '.join(map(str, words)) + '\n').encode())
        self.process.stdin.flush()

    def assert_says(self, *lines):
        """Beside the answers to goodbyes, which may be seen or not."""
        said = iter(lambda: backends.read_line(self.process).rstrip('\n'), '')
        got = itertools.islice((line for line in said if 'eybdoog' not in line), len(lines))
        self.assertEqual(sorted(got), sorted(lines))

    def test_a_conversation(self):
        """s_server serves one after the other."""
        for i in range(10):
            self.tell('open', i, self.server.port)
            self.tell('say', i, 'hello', i)
            self.assert_says(f'{i} {i} olleh')
            for words in ('x' * 3000, 'you', 'level'):
                self.tell('say', i, words)
            self.assert_says(f'{i} {"x" * 3000}', f'{i} uoy', f'{i} level')
            self.tell(f'say {i} goodbye\nclose {i}')  # it goes before it is called again
        self.assertIn(self.end_program(self.process), ['', f'{i} eybdoog\n'])

    def test_the_server_is_killed_and_started_again(self):
        for round_ in range(3):
            self.tell('open', 0, self.server.port)
            self.tell('say', 0, 'hello')
            self.assert_says('0 olleh')
            for i in range(1, 10):  # its turn never comes
                self.tell('open', i, self.server.port)
            self.server.stop()
            for i in range(10):
                self.assertRegex(backends.read_line(self.process), r'^\d+ -')
            self.tell('open', 0, self.server.port)
            self.assert_says('0 -Connection refused')
            self.server.start()
        self.assertEqual(self.end_program(self.process), '')

    def test_a_read_ends_the_handshake_that_a_write_waits_for(self):
        """The write went on when the next bytes came, and none did."""
        self.tell('late', 0, self.server.port)
        self.tell('say', 0, 'hello')
        self.assert_says('0 olleh')
        self.assertEqual(self.end_program(self.process), '')

    def test_it_ends_with_connections(self):
        self.tell('open', 0, self.server.port)
        self.tell('say', 0, 'hello')
        self.assert_says('0 olleh')
        self.tell('open', 1, self.server.port)
        self.assertEqual(self.end_program(self.process), '')


class Inside_uv_run(Driven):
    loop = 'uv'


class Inside_GLib(Driven):
    loop = 'glib'


backends.for_each_backend(OpenSSL, globals())
backends.for_each_backend(Driven, globals())
backends.for_each_backend(Inside_uv_run, globals(), backends.NESTING)
backends.for_each_backend(Inside_GLib, globals(), backends.NESTING)

if __name__ == '__main__':
    backends.main()
