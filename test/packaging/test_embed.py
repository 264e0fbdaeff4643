#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/examples/embed, built in each of the ways that its README tells, and run."""

import pathlib
import shutil
import signal
import tempfile
import time
import unittest

import embedding
import tree
from embedding import Program

EMBED = tree.TOP / 'docs' / 'examples' / 'embed'


@unittest.skipUnless(tree.is_thorough, 'only with --thorough')
class Ways(unittest.TestCase):
    """What each prints is the same."""

    @classmethod
    def setUpClass(cls):
        cls.prefix = tree.install()
        directory = tempfile.TemporaryDirectory(prefix='selkie embed ')
        cls.addClassCleanup(directory.cleanup)
        cls.selkie = tree.snapshot(pathlib.Path(directory.name) / 'selkie')
        cls.embed = pathlib.Path(directory.name) / 'together'
        shutil.copytree(EMBED, cls.embed)

    def check_way(self, way, **environment):
        embedding.check_said(embedding.run_commands(self.embed, way, environment), way)
        status, lines, _ = Program(self.embed / embedding.WAYS[way], environment).run(
            'echo x', 'exit 3')
        self.assertEqual((status, len(lines)), (3, 1))

    def test_meson(self):
        """With no selkie but the subproject."""
        self.check_way('Meson', selkie=str(self.selkie))

    def test_cmake(self):
        self.check_way('CMake', CMAKE_PREFIX_PATH=str(self.prefix), CMAKE_GENERATOR='Ninja',
                       LD_LIBRARY_PATH=str(self.prefix / 'lib'))

    def test_cc(self):
        self.check_way('A compiler', PKG_CONFIG_PATH=str(self.prefix / 'lib' / 'pkgconfig'),
                       LD_LIBRARY_PATH=str(self.prefix / 'lib'))


class Together(unittest.TestCase):
    """What the program does."""

    @classmethod
    def setUpClass(cls):
        prefix = tree.install()
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        program = pathlib.Path(directory.name) / 'together'
        flags = tree.pkg_config(prefix, '--cflags', '--libs')
        tree.run('cc', *tree.build.WARNINGS, '-Werror', '-o', program, EMBED / 'together.c',
                 *flags)
        cls.program = Program(program, {'LD_LIBRARY_PATH': str(prefix / 'lib')})

    def test_lines_are_whole_and_in_order(self):
        """More commands than libuv has threads, and more output than a pipe holds."""
        commands = [f'seq -f "{name} %g" 20000' for name in range(1, 11)]
        status, lines, _ = self.program.run(*commands)
        self.assertEqual(status, 0)
        for number in range(1, 11):
            said = [line.text for line in lines if line.number == number]
            self.assertEqual(said, [f'{number} {i}' for i in range(1, 20001)])
        seconds = [line.seconds for line in lines]
        self.assertEqual(seconds, sorted(seconds))

    def test_a_line_without_end_is_cut(self):
        status, lines, _ = self.program.run('head -c 10000 /dev/zero | tr "\\0" x')
        self.assertEqual([len(line.text) for line in lines], [4096, 4096, 10000 - 2 * 4096])
        self.assertEqual(status, 0)

    def test_stderr_is_told_too(self):
        self.assertEqual([line.text for line in self.program.run('echo no >&2')[1]], ['no'])

    def test_the_first_failure_is_the_exit_status(self):
        self.assertEqual(self.program.run('sleep 0.2; exit 3', 'exit 4', 'true')[0], 3)
        self.assertEqual(self.program.run('true', 'kill -9 $$')[0], 128 + 9)
        self.assertEqual(self.program.run('/no/such/program')[0], 127)

    def test_t_ends_commands(self):
        start = time.monotonic()
        status, lines, _ = self.program.run('-t', '0.2', 'echo up; exec sleep 1000')
        self.assertGreaterEqual(time.monotonic() - start, 0.2)
        self.assertEqual((status, lines[0].text), (128 + 15, 'up'))

    def test_what_a_command_left_behind_ends_too(self):
        status, lines, _ = self.program.run('-t', '0.2', 'sleep 1000 & echo gone')
        self.assertEqual((status, lines[0].text), (0, 'gone'))

    def test_a_stubborn_command_is_killed(self):
        start = time.monotonic()
        stubborn = 'trap "" TERM; echo up; while :; do sleep 1000; done'
        self.assertEqual(self.program.interrupt(stubborn), 128 + 9)
        self.assertGreaterEqual(time.monotonic() - start, 2)

    def test_signals_end_commands(self):
        for signum in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signum):
                self.assertEqual(
                    self.program.interrupt('echo up; exec sleep 1000', signum), 128 + 15)

    def test_wrong_options(self):
        for words in [[], ['-t', 'x', 'true'], ['-t', '0', 'true'], ['-t', '1'], ['-t'],
                      ['-x', 'true']]:
            with self.subTest(words):
                self.assertEqual(self.program.run(*words), (
                    2, [], 'usage: together [-t SECONDS] COMMAND...\n'))


if __name__ == '__main__':
    unittest.main()
