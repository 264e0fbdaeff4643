#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""c-ares on selkie, with dnsmasq.

    python3 test_cares.py --programs DIR [unittest's arguments]
"""

import socket
import unittest

import backends

COUNT = 1000
ADDRESSES = ['10.0.0.1', '10.1.2.3', '- Domain name not found', '10.1.2.3']
TIMEOUT = '- Timeout while contacting DNS servers'
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


class Driven:
    """cares_driver.c, which takes lines and counts what is left at its end."""

    loop, protocol, batch = 'selkie', (), 100

    def start(self, server, milliseconds=10_000):
        self.process = self.start_program(f'cares_in_{self.loop}', address(server),
                                          milliseconds, *self.protocol)

    def ask(self, number, name, word='ask'):
        self.process.stdin.write(f'{word} {number} {name}\n'.encode())
        self.process.stdin.flush()

    def take(self, count):
        """{number: what it was answered} of the next ones."""
        lines = [backends.read_line(self.process).rstrip('\n') for i in range(count)]
        return {int(line.partition(' ')[0]): line.partition(' ')[2] for line in lines}

    def test_a_thousand_names(self):
        self.start(server)
        for start in range(0, COUNT, self.batch):
            batch = range(start, start + self.batch)
            for i in batch:
                kind = i % 4
                self.ask(i, ['one.test', f'name{i}.many.test', 'no.none.test',
                             f'name{i}.many.test'][kind], 'twice' if kind == 3 else 'ask')
            self.assertEqual(self.take(self.batch), {i: ADDRESSES[i % 4] for i in batch})
        self.assertEqual(self.end_program(self.process), '')

    def test_the_server_is_killed_and_started_again(self):
        mortal = backends.Server(dnsmasq)
        self.addCleanup(mortal.close)
        self.start(mortal, 100)
        for round_ in range(3):
            self.assertEqual(self.answer_of_one(), '10.0.0.1')
            for i in range(20):
                self.ask(i, f'name{i}.silent.test')
            mortal.stop()
            answers = set(self.take(20).values())
            self.assertTrue(all(answer.startswith('- ') for answer in answers), answers)
            self.ask(0, 'one.test')
            self.assertRegex(self.take(1)[0], '^- ')
            mortal.start()
        self.assertEqual(self.answer_of_one(), '10.0.0.1')
        self.assertEqual(self.end_program(self.process), '')

    def answer_of_one(self):
        """A busy machine may keep the server from answering in time."""
        for i in range(100):
            self.ask(0, 'one.test')
            answer = self.take(1)[0]
            if not answer.startswith('- '):
                break
        return answer


class UDP(Driven):
    def test_names_that_time_out(self):
        """Others are answered meanwhile; each is asked twice, of which the first waits as
        long as was said.
        """
        self.start(server, 50)
        for round_ in range(3):
            for i in range(20):
                self.ask(i, f'name{i}.silent.test')
            for i in range(20, 40):
                self.ask(i, f'name{round_}-{i}.many.test')
            answers = self.take(40)
            self.assertEqual({answers[i] for i in range(20)}, {TIMEOUT})
            self.assertLessEqual({answers[i] for i in range(20, 40)}, {'10.1.2.3', TIMEOUT})
        self.assertEqual(self.end_program(self.process), '')

    def test_the_channel_is_closed_with_questions(self):
        """Because of what an answer's callback was told, and another is made."""
        self.start(server)
        for round_ in range(5):
            for i in range(20):
                self.ask(i, f'name{i}.silent.test')
            self.ask(20, 'one.test', 'last')
            answers = self.take(21)
            self.assertEqual(answers.pop(20), '10.0.0.1')
            self.assertEqual(set(answers.values()), {'- Channel is being destroyed'})
        for i in range(20):
            self.ask(i, f'name{i}.silent.test')
        self.assertEqual(len(self.end_program(self.process).splitlines()), 20)


class TCP(Driven):
    """Of which dnsmasq ends a connection after a hundred questions."""

    protocol, batch = ('tcp',), 60


class Inside_uv_run(UDP):
    loop = 'uv'


class Inside_GLib(UDP):
    loop = 'glib'


backends.for_each_backend(Cares, globals())
backends.for_each_backend(UDP, globals())
backends.for_each_backend(TCP, globals())
backends.for_each_backend(Inside_uv_run, globals(), backends.NESTING)
backends.for_each_backend(Inside_GLib, globals(), backends.NESTING)

if __name__ == '__main__':
    backends.main()
