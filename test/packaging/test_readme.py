# SPDX-License-Identifier: MIT
"""The README's listings are the echo programs', and both programs serve a client.  The
lessons' README, which it links to, has the same table as their first page.
"""

import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
ECHO_C = TOP / 'demo' / 'echo.c'
LESSONS = TOP / 'docs' / 'lessons'
ECHO_PY = TOP / 'docs' / 'examples' / 'echo.py'


def listing(path):
    text = path.read_text()
    return re.search(r'\[readme\]\n(.*)\n(?:#|//) \[/readme\]', text, re.DOTALL).group(1)


def on_another_port(text):
    """The program with a port that is free now, in place of 1234."""
    with socket.create_server(('127.0.0.1', 0)) as sock:
        port = sock.getsockname()[1]
    return port, text.replace('1234', str(port))


class Readme(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def test_the_listings_are_those_of_the_examples(self):
        readme = (TOP / 'README.md').read_text()
        self.assertIn('```python\n' + listing(ECHO_PY).strip('\n') + '\n```', readme)
        self.assertIn('```c\n' + listing(ECHO_C).strip('\n') + '\n```', readme)

    def test_what_it_shows_of_them_is_theirs(self):
        """The heart of each comes first, without the indentation that it has in a function."""
        readme = (TOP / 'README.md').read_text()
        for language, path in ('python', ECHO_PY), ('c', ECHO_C):
            lines = [line.strip() for line in listing(path).splitlines()]
            heart = re.search(rf'```{language}\n(.*?)\n```', readme, re.DOTALL).group(1)
            self.assertLess(heart.count('\n'), len(lines) / 2)
            for paragraph in heart.split('\n\n'):
                shown = [line.strip() for line in paragraph.splitlines()]
                with self.subTest(language, shown=shown):
                    self.assertTrue(any(lines[at:at + len(shown)] == shown
                                        for at in range(len(lines))))

    def test_what_it_links_to_is_there(self):
        for readme in TOP / 'README.md', LESSONS / 'README.md':
            targets = re.findall(r'\]\(([^)]+)\)', readme.read_text())
            own = [target for target in targets if not target.startswith('https://')]
            self.assertGreater(len(own), 10)
            self.assertEqual([target for target in own
                              if not (readme.parent / target).exists()], [])

    def test_the_lessons_are_those_of_the_site(self):
        pages = re.findall(r'\* - :doc:`(\d+) <([\w-]+)>`\n +- (.*)\n +- (.*)\n',
                           (LESSONS / 'index.rst').read_text())
        rows = [line.strip('| ').split(' | ')
                for line in (LESSONS / 'README.md').read_text().splitlines()
                if re.match(r'\| \d', line)]
        self.assertEqual(len(rows), 21)
        for (number, page, question, programs), row in zip(pages, rows, strict=True):
            with self.subTest(page):
                names = re.findall(r'``(\w+)``', programs)
                self.assertEqual(row[:2], [number, question.replace('``', '`')])
                for column in row[2:4]:
                    self.assertEqual(re.findall(r'\[(\w+)\]', column), names)
                self.assertIn(f'(../timelines/{page}.svg)', row[4])

    def test_a_tree_that_cannot_be_written_to_is_one_line(self):
        for name in 'run', 'test/setup.sh':
            (self.directory / name).parent.mkdir(exist_ok=True)
            shutil.copy(TOP / name, self.directory / name)
        (self.directory / 'build').touch()
        for verb in 'echo', 'test':
            ended = subprocess.run([self.directory / 'run', verb], text=True, timeout=60,
                                   stdin=subprocess.DEVNULL, capture_output=True)
            self.assertEqual(ended.returncode, 1)
            self.assertRegex(ended.stderr, r"\Arun: can't write to [^\n]*/build; [^\n]*\n\Z")

    def check_serves(self, command, port):
        server = subprocess.Popen(command)
        self.addCleanup(server.wait, 10)
        self.addCleanup(server.kill)
        deadline = time.monotonic() + 10
        while True:
            try:
                client = socket.create_connection(('127.0.0.1', port), timeout=10)
                break
            except ConnectionRefusedError:
                self.assertLess(time.monotonic(), deadline)
                self.assertIsNone(server.poll())
                time.sleep(0.01)
        with client:
            for text in (b'hello', b'again'):
                client.sendall(text)
                self.assertEqual(client.recv(100), text)

    def test_the_python_listing_serves(self):
        port, text = on_another_port(listing(ECHO_PY))
        self.check_serves([sys.executable, '-c', text], port)

    def test_the_c_listing_serves(self):
        port, text = on_another_port(ECHO_C.read_text())
        source = self.directory / 'echo.c'
        source.write_text(text)
        build = self.directory / 'build'
        subprocess.run(
            ['meson', 'setup', build, TOP, '-Dtests=disabled', '-Ddemos=disabled',
             '-Dbench=disabled', '-Ddefault_library=static'],
            check=True, stdout=subprocess.DEVNULL)
        subprocess.run(['ninja', '-C', build], check=True, stdout=subprocess.DEVNULL)
        flags = subprocess.run(
            ['pkg-config', '--cflags', '--libs', 'libuv'],
            check=True, capture_output=True, text=True).stdout.split()
        subprocess.run(
            ['cc', '-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Wno-unused-parameter',
             '-Werror', f'-I{TOP / "include"}', f'-I{build / "include"}', source,
             build / 'lib' / 'libselkie.a', *flags, '-lm', '-pthread',
             '-o', self.directory / 'echo'], check=True)
        self.check_serves([self.directory / 'echo'], port)


if __name__ == '__main__':
    unittest.main()
