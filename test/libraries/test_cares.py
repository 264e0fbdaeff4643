#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""c-ares on selkie, with dnsmasq.

    python3 test_cares.py --programs DIR [unittest's arguments]
"""

import socket
import unittest

import backends

silent = None  # takes questions and answers none
server = None


def dnsmasq(server):
    return [backends.tool('dnsmasq', 'dnsmasq-base'), '--keep-in-foreground',
            '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--user=root',
            '--pid-file', '--bind-interfaces', f'--listen-address={backends.HOST}',
            f'--port={server.port}', '--log-facility=-', '--dns-forward-max=10000',
            '--address=/many.test/10.1.2.3', '--host-record=one.test,10.0.0.1',
            f'--server=/silent.test/{backends.HOST}#{silent.getsockname()[1]}',
            '--address=/none.test/']


def setUpModule():
    global server, silent
    backends.program('cares')
    silent = socket.socket(type=socket.SOCK_DGRAM)
    silent.bind((backends.HOST, 0))
    unittest.addModuleCleanup(silent.close)
    server = backends.Server(dnsmasq)
    unittest.addModuleCleanup(server.close)


def address(of=None):
    return f'{backends.HOST}:{(of or server).port}'


class Cares:
    def test_names_are_looked_up(self):
        names = [f'name{i}.many.test' for i in range(99)]
        ended = self.run_program('cares', address(), 'one.test', *names)
        self.assert_succeeds(ended)
        self.assertEqual(sorted(ended.stdout.splitlines()), sorted(
            ['one.test: 10.0.0.1', *(f'{name}: 10.1.2.3' for name in names)]))

    def test_a_name_that_is_not_there(self):
        ended = self.run_program('cares', address(), 'no.none.test', 'one.test')
        self.assert_fails(ended)
        self.assertEqual(ended.stdout, 'one.test: 10.0.0.1\n')

    def test_no_server(self):
        with backends.nobody() as port:
            ended = self.run_program('cares', f'{backends.HOST}:{port}', 'one.test')
        self.assert_fails(ended)


backends.for_each_backend(Cares, globals())

if __name__ == '__main__':
    backends.main()
