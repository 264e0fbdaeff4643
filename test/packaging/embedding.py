# SPDX-License-Identifier: MIT
"""docs/examples/embed: its README's commands, and what the program must do.

Only the standard library and this file are needed, so that it serves in a fresh system,
too:

    embedding.py EMBED-DIRECTORY SELKIE

runs every way in the directory, a copy, with selkie from SELKIE, and installs for that.
"""

import collections
import os
import pathlib
import re
import signal
import subprocess
import sys

PATIENCE = 300  # seconds for one way
LINE = re.compile(r' *(\d+\.\d{3}) (\d+)\| (.*)')
Line = collections.namedtuple('Line', 'seconds number text')

# How a heading of the README begins, and what its program is called.
WAYS = {'Meson': 'build/together', 'CMake': 'build-cmake/together', 'A compiler': './together'}
INSTALLING = 'Installing'


def commands(directory, heading):
    """The shell commands under the README's heading that begins so."""
    text = (directory / 'README.md').read_text()
    found = re.search(rf'^## {heading}.*?^```sh\n(.*?)^```', text, re.DOTALL | re.MULTILINE)
    return found[1]


def run_commands(directory, heading, environment):
    """Run them as they stand there; returns what they print."""
    ended = subprocess.run(
        ['sh', '-euc', commands(directory, heading)], cwd=directory, text=True,
        env={**os.environ, **environment}, stdin=subprocess.DEVNULL, timeout=PATIENCE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if ended.returncode != 0:
        raise AssertionError(f'{heading}: {ended.returncode}\n{ended.stdout}')
    return ended.stdout


def read_lines(text):
    """What the program printed, line by line; anything else is an error."""
    found = []
    for line in text.splitlines():
        match = LINE.fullmatch(line)
        if match is None:
            raise AssertionError(f'not a line of the program: {line!r}')
        found.append(Line(float(match[1]), int(match[2]), match[3]))
    return found


def check_said(text, way):
    """The last two lines are those that the README's last command asks for."""
    first, last = read_lines('\n'.join(text.splitlines()[-2:]))
    if (first.number, last.number, last.text) != (1, 2, 'and later'):
        raise AssertionError(f'{way}: {text}')
    if not first.text.startswith('from ') or last.seconds < 0.1:
        raise AssertionError(f'{way}: {text}')


class Program:
    """A built program, run."""

    def __init__(self, path, environment=()):
        self.path = path
        self.environment = {**os.environ, **dict(environment)}

    def start(self, *words):
        return subprocess.Popen(
            [self.path, *words], env=self.environment, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *words):
        """(exit status, lines, stderr)"""
        with self.start(*words) as process:
            out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, read_lines(out), err

    def interrupt(self, command, signum=signal.SIGINT):
        """Start one command, send the signal when it has printed; returns the status."""
        with self.start(command) as process:
            read_lines(process.stdout.readline())
            process.send_signal(signum)
            process.communicate(timeout=PATIENCE)
        return process.returncode


def main(directory, selkie):
    directory = pathlib.Path(directory)
    environment = {'selkie': selkie}
    for way in ['Meson', INSTALLING, 'CMake', 'A compiler']:
        said = run_commands(directory, way, environment)
        if way in WAYS:
            check_said(said, way)
            status = Program(directory / WAYS[way]).run('echo x', 'exit 3')[0]
            if status != 3:
                raise AssertionError(f'{way}: {status}')
        print(f'{way}: ok', flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
