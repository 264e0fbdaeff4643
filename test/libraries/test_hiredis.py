# SPDX-License-Identifier: MIT
"""hiredis on selkie, with a Redis server.  Run as backends.py says."""

import unittest

import backends
from backends import HOST, Server

server = None  # for the tests that leave it alone


def redis_command(server):
    return [backends.tool('redis-server', 'redis-server'), '--port', server.port,
            '--bind', HOST, '--save', '', '--appendonly', 'no', '--dir', server.folder]


def redis_server():
    return Server(redis_command)


def setUpModule():
    global server
    server = redis_server()
    unittest.addModuleCleanup(server.close)


class Hiredis:
    def test_example(self):
        ended = self.run_program('hiredis', HOST, server.port)
        self.assert_succeeds(ended)
        self.assertEqual(ended.stdout, 'PING: PONG\nSET: OK\nGET: hello\n')

    def test_example_where_nobody_listens(self):
        with backends.nobody() as port:
            ended = self.run_program('hiredis', HOST, port)
        self.assert_fails(ended)
        self.assertIn('Connection refused', ended.stderr)

    def test_example_where_the_server_hangs_up(self):
        with backends.rude_server() as port:
            ended = self.run_program('hiredis', HOST, port)
        self.assert_fails(ended)

    def test_ten_thousand_commands_at_once(self):
        ended = self.run_program('hiredis_stress', 'pipeline', server.port, 10_000)
        self.assert_succeeds(ended)
        self.assertEqual(ended.stdout, '10000 replies, 0 wrong\n')

    def test_messages_come_in_their_order(self):
        ended = self.run_program('hiredis_stress', 'publish', server.port, 5_000)
        self.assert_succeeds(ended)
        self.assertEqual(ended.stdout, '5000 messages, 0 out of turn\n')

    def test_freed_in_a_callback(self):
        ended = self.run_program('hiredis_stress', 'free', server.port, 100)
        self.assert_succeeds(ended)
        self.assertEqual(ended.stdout, '1 reply, 99 without\n')

    def test_the_server_is_killed_and_comes_again(self):
        mortal = redis_server()
        self.addCleanup(mortal.close)
        self.assert_comes_again(mortal, 'hiredis_stress', mortal.port)


backends.for_each_backend(Hiredis, globals())


class HiredisWithLibuv(unittest.TestCase):
    """What hiredis's own adapter does in the same circumstances, up to hiredis 0.14."""

    def test_it_is_never_told_that_a_connection_was_refused(self):
        mortal = redis_server()
        self.addCleanup(mortal.close)
        program = backends.start('hiredis_uv', mortal.port)
        self.addCleanup(backends.end, program)
        if backends.read_line(program) != 'hiredis 0\n':
            self.skipTest('hiredis 1.0 has mended it')
        self.assertEqual(backends.read_line(program), 'made\n')
        mortal.stop()
        line = backends.read_line(program)
        while line in ('lost\n', 'made\n'):  # a last one, made with a server that is ending
            line = backends.read_line(program)
        self.assertEqual(line, 'nothing left to wait for\n')


if __name__ == '__main__':
    backends.main()
