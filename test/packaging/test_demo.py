#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`./run demo`: it lists every program of demo/, and builds the one that it starts."""

import json
import pathlib
import re
import socket
import subprocess
import tempfile
import unittest

import tree

LINE = re.compile(r'  (\S+) +(\S.*[^.])')


class Demo(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix='selkie demo ')
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def listed(self):
        """{name: what it is}"""
        first, *lines = tree.run('sh', tree.TOP / 'run', 'demo').splitlines()
        self.assertEqual(first, 'usage: ./run demo NAME [ARGUMENT...]')
        return dict(LINE.fullmatch(line).groups() for line in lines)

    def test_the_list_fits_a_terminal_and_says_something(self):
        found = self.listed()
        for name, purpose in found.items():
            with self.subTest(name):
                self.assertLess(len(purpose), 78)
                self.assertGreater(len(purpose.split()), 2)

    def test_it_lists_what_can_be_built(self):
        build = self.directory / 'build'
        tree.run('meson', 'setup', build, tree.TOP, *tree.build.NOTHING_MORE, '-Ddemos=enabled')
        targets = json.loads(tree.run('meson', 'introspect', '--targets', build))
        programs = {str(pathlib.Path(target['filename'][0]).relative_to(build / 'demo'))
                    for target in targets if target['type'] == 'executable'}
        # Without libhttp-parser there is no monitor.
        self.assertEqual(programs | {'monitor'}, set(self.listed()))

    def test_it_builds_one_and_starts_it(self):
        top = self.directory / 'tree'
        tree.copy_sources(top)
        with subprocess.Popen(['sh', top / 'run', 'demo', 'first/select', '0'], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            try:
                listening = process.stdout.readline()
                port = re.fullmatch(r'listening on 127\.0\.0\.1:(\d+)\n', listening)[1]
                with socket.create_connection(('127.0.0.1', int(port)), 20) as client:
                    client.sendall(b'hello')
                    self.assertEqual(client.recv(100), b'hello')
            finally:
                process.kill()
        built = [path.name for path in (top / 'build/release/demo').rglob('*')
                 if path.is_file() and path.stat().st_mode & 0o100]
        self.assertEqual(built, ['select'])
        said = tree.run('sh', top / 'run', 'demo', '03_ten_clients', '--version')
        self.assertIn('\nten_clients, ', said)


if __name__ == '__main__':
    unittest.main()
