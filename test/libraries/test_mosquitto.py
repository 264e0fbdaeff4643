# SPDX-License-Identifier: MIT
"""libmosquitto on selkie, with a broker.  Run as backends.py says."""

import select
import socket
import unittest

import backends
from backends import HOST, PATIENCE, Server

server = None  # for the tests that leave it alone


def command(server):
    (server.folder / 'conf').write_text(
        f'listener {server.port} {HOST}\nallow_anonymous true\npersistence false\n'
        'max_queued_messages 0\nset_tcp_nodelay true\n')
    return [backends.tool('mosquitto', 'mosquitto'), '-c', server.folder / 'conf']


def broker():
    return Server(command)


def setUpModule():
    global server
    server = broker()
    unittest.addModuleCleanup(server.close)


class Mosquitto:
    def test_example(self):
        ended = self.run_program('mosquitto', HOST, server.port, f'of/{self.backend}')
        self.assert_succeeds(ended)
        self.assertEqual(ended.stdout, f'of/{self.backend}: hello\n')

    def test_example_where_nobody_listens(self):
        with backends.nobody() as port:
            ended = self.run_program('mosquitto', HOST, port, 'topic')
        self.assert_fails(ended)
        self.assertIn('Connection refused', ended.stderr)

    def test_example_where_the_server_hangs_up(self):
        with backends.rude_server() as port:
            ended = self.run_program('mosquitto', HOST, port, 'topic')
        self.assert_fails(ended)

    def test_messages_come_in_their_order(self):
        ended = self.run_program('mosquitto_stress', 'messages', server.port, 3_000)
        self.assert_succeeds(ended)
        self.assertEqual(ended.stdout, '3000, 0 wrong\n')

    def test_its_name_is_taken_by_another(self):
        ended = self.run_program('mosquitto_stress', 'taken', server.port, 100)
        self.assert_succeeds(ended)
        self.assertEqual(ended.stdout, 'taken\n100, 0 wrong\n')

    def test_a_client_that_is_writing_is_lost_once(self):
        with socket.create_server((HOST, 0)) as listener:
            listener.settimeout(PATIENCE)
            program = self.start_program(
                'mosquitto_stress', 'blocked', listener.getsockname()[1], 50_000_000)
            connection = listener.accept()[0]
            with connection:
                self.assertEqual(backends.read_line(program), 'blocked\n')
                self.assertTrue(select.select([connection], [], [], PATIENCE)[0])
            self.assertEqual(backends.read_line(program), 'lost 1\n')
            self.end_program(program)

    def test_the_broker_is_killed_and_comes_again(self):
        mortal = broker()
        self.addCleanup(mortal.close)
        self.assert_comes_again(mortal, 'mosquitto_stress', mortal.port, refused=None)


backends.for_each_backend(Mosquitto, globals())


if __name__ == '__main__':
    backends.main()
