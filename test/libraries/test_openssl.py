#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""OpenSSL on selkie: the echo server, and clients of Python's and of OpenSSL's own.

    python3 test_openssl.py --programs DIR [unittest's arguments]
"""

import contextlib
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import unittest

import backends

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


backends.for_each_backend(OpenSSL, globals())

if __name__ == '__main__':
    backends.main()
