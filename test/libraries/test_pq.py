# SPDX-License-Identifier: MIT
"""libpq on selkie, with a PostgreSQL server.  Run as backends.py says."""

import glob
import signal
import subprocess
import unittest

import backends
from backends import HOST, PATIENCE, Server

server = None


def postgres_tool(name):
    """Debian keeps them out of the PATH, the newest version's is taken."""
    found = sorted(glob.glob(f'/usr/lib/postgresql/*/bin/{name}'))
    return found[-1] if found else backends.tool(name, 'postgresql')


class Postgres(Server):
    """Its processes are in groups of their own; by SIGQUIT it ends them all, at once and
    without a word to the disk, as in a crash."""

    def __init__(self):
        super().__init__(command, is_up, 'nobody')

    def stop(self, signum=signal.SIGQUIT):
        super().stop(signum)


def is_up(server):
    return subprocess.run(
        [postgres_tool('pg_isready'), '-q', '-h', HOST, '-p', str(server.port)],
        timeout=PATIENCE).returncode == 0


def command(server):
    data = server.folder / 'data'
    if not data.exists():
        subprocess.run(
            [postgres_tool('initdb'), '-D', data, '-U', 'tester', '-A', 'trust', '-N'],
            cwd=server.folder, env=backends.environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, check=True, timeout=PATIENCE, **server.privilege)
    return [postgres_tool('postgres'), '-D', data, '-p', server.port, '-h', HOST,
            '-k', server.folder, '-F', '-c', 'shared_buffers=1MB', '-c', 'max_connections=20',
            '-c', 'client_connection_check_interval=100']  # during a query, too


def setUpModule():
    global server
    server = Postgres()
    unittest.addModuleCleanup(server.close)


def conninfo(*ports):
    hosts = ','.join([HOST] * len(ports))
    return f'hostaddr={hosts} port={",".join(map(str, ports))} user=tester dbname=postgres'


def terminate(server, backend):
    """As an administrator does it."""
    subprocess.run(
        [backends.tool('psql', 'postgresql-client'), '-q', '-c',
         f'SELECT pg_terminate_backend({backend})', conninfo(server.port)],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=PATIENCE)


class Pq:
    def test_example(self):
        ended = self.run_program('pq', conninfo(server.port), 'SELECT n, n * n FROM '
                                 'generate_series(1, 3) AS n')
        self.assert_succeeds(ended)
        self.assertEqual(ended.stdout, '1\t1\n2\t4\n3\t9\n')

    def test_example_with_a_query_that_is_none(self):
        ended = self.run_program('pq', conninfo(server.port), 'SELEKT')
        self.assert_fails(ended)
        self.assertIn('syntax error', ended.stderr)

    def test_example_where_nobody_listens(self):
        with backends.nobody() as port:
            ended = self.run_program('pq', conninfo(port), 'SELECT 1')
        self.assert_fails(ended)
        self.assertIn('Connection refused', ended.stderr)

    def test_example_where_the_server_hangs_up(self):
        with backends.rude_server() as port:
            ended = self.run_program('pq', conninfo(port), 'SELECT 1')
        self.assert_fails(ended)

    def test_example_where_the_first_of_two_refuses(self):
        with backends.nobody() as port:
            ended = self.run_program('pq', conninfo(port, server.port), 'SELECT 1')
        self.assert_succeeds(ended)
        self.assertEqual(ended.stdout, '1\n')

    def assert_counts(self, mode, count):
        ended = self.run_program('pq_stress', mode, conninfo(server.port), count)
        self.assert_succeeds(ended)
        self.assertEqual(ended.stdout, f'{count}, 0 wrong\n')

    def test_many_rows(self):
        self.assert_counts('rows', 10_000)

    def test_a_query_that_is_more_than_a_socket_takes(self):
        self.assert_counts('large', 15_000_000)

    def test_notifications_come_in_their_order(self):
        self.assert_counts('notify', 5_000)

    def made(self, program):
        """A connection's descriptor and its backend's process."""
        line = backends.read_line(program)
        self.assertRegex(line, r'\Amade \d+ \d+\n\Z')
        return line.split()[1:]

    def assert_survives_its_backend(self, *how):
        with backends.nobody() as port:
            program = self.start_program(
                'pq_stress', 'survive', conninfo(port, server.port), *how)
            number, backend = self.made(program)
            for _ in range(2):
                terminate(server, backend)
                self.assertEqual(backends.read_line(program), 'lost\n')
                again, backend = self.made(program)
                self.assertEqual(again, number)
            self.assertTrue(self.end_program(program).endswith('end\n'))

    def test_its_backend_is_terminated(self):
        self.assert_survives_its_backend()

    def test_its_backend_is_terminated_during_a_query(self):
        self.assert_survives_its_backend(1)

    def test_the_server_is_killed_and_comes_again(self):
        program = self.start_program('pq_stress', 'survive', conninfo(server.port))
        number, _ = self.made(program)
        server.stop()
        try:
            self.assertEqual(backends.read_line(program), 'lost\n')
        finally:
            server.start()
        self.assertEqual(self.made(program)[0], number)
        self.assertTrue(self.end_program(program).endswith('end\n'))


backends.for_each_backend(Pq, globals())


if __name__ == '__main__':
    backends.main()
