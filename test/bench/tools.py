# SPDX-License-Identifier: MIT
"""How a benchmark starts its programs, and what it gives back."""

import contextlib
import dataclasses
import json
import math
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

PROGRAM_SECONDS = 300
PEERS = pathlib.Path(__file__).with_name('peers.py')
OWN_PROGRAM = ('libev', 'libevent', 'sd-event')  # their names clash in one program


class BenchmarkError(Exception):
    """A benchmark could not be run."""


@dataclasses.dataclass
class Goal:
    """A figure that is to be at most `limit`, and the interval that it lies in."""

    name: str
    figure: float
    limit: float
    lower: float = None
    upper: float = None
    at_least: bool = False

    @property
    def met(self):
        """The interval of the figure reaches the limit."""
        if self.at_least:
            best = self.figure if self.upper is None else self.upper
            return best >= self.limit
        best = self.figure if self.lower is None else self.lower
        return best <= self.limit


@dataclasses.dataclass
class Plot:
    """Curves over one axis: {name: [(x, y), ...]}."""

    name: str
    title: str
    x: str
    y: str
    curves: dict
    logarithmic: bool = True


@dataclasses.dataclass
class Result:
    """A table for people, the same rows for programs, and what is judged."""

    title: str
    columns: list
    table: list
    rows: list
    goals: list
    plots: list = dataclasses.field(default_factory=list)
    note: str = ''


@dataclasses.dataclass
class Spread:
    """A median and the interval that holds it with 95 % confidence."""

    median: float
    lower: float
    upper: float


def spread(values):
    """The interval is between order statistics: nothing is assumed of the noise."""
    values = sorted(values)
    n = len(values)
    k = max(0, math.floor((n - 1.96 * math.sqrt(n)) / 2))
    return Spread(statistics.median(values), values[k], values[n - 1 - k])


def ratios(samples, of, to):
    """The spread of the rounds' ratios: neighbours in time share the noise."""
    return spread([a / b for a, b in zip(samples[of], samples[to])])


def _run(command, **options):
    command = [str(word) for word in command]
    shown = ' '.join(command)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              timeout=PROGRAM_SECONDS, **options)
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f'{shown}: no end after {error.timeout} s') from error
    if done.returncode != 0:
        raise BenchmarkError(f'{shown}: exit {done.returncode}\n{done.stderr}')
    return done.stdout


def _count_allocations(text):
    """A function has its name where callgrind writes of it first, later a number."""
    names = dict(re.findall(r'^c?fn=(\(\d+\)) (.+)$', text, re.MULTILINE))
    calls = re.findall(r'^cfn=(\(\d+\)).*\ncalls=(\d+)', text, re.MULTILINE)
    return sum(int(count) for number, count in calls
               if names[number] in ('malloc', 'calloc', 'realloc'))


class Child:
    """A program that answers a line for a line, on one core."""

    def __init__(self, command, core):
        command = ['taskset', '-c', str(core), *map(str, command)]
        self.shown = ' '.join(command)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise BenchmarkError(f'{self.shown}: ended')
        return line.strip()

    def ask(self, order):
        self.process.stdin.write(order + '\n')
        self.process.stdin.flush()
        return json.loads(self.read())

    def cpu_ns(self):
        """What all its threads have used, from the scheduler's own account."""
        used = 0
        for thread in pathlib.Path(f'/proc/{self.process.pid}/task').iterdir():
            used += int((thread / 'schedstat').read_text().split()[0])
        return used

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Tools:
    """The programs of one build."""

    def __init__(self, build, quick):
        self.build = pathlib.Path(build)
        self.programs = self.build / 'test' / 'bench'
        self.quick = quick

    def has(self, program):
        """Was it built?  What a program needs may be missing on this machine."""
        return (self.programs / f'bench_{program}').exists()

    def path(self, program):
        if not self.has(program):
            raise BenchmarkError(f'this build has no bench_{program}')
        return self.programs / f'bench_{program}'

    def for_contender(self, program, contender):
        """The program that holds this contender."""
        peer = contender.replace('-', '_')
        return f'{program}_{peer}' if contender in OWN_PROGRAM else program

    def knows(self, program, contender):
        return self.has(self.for_contender(program, contender))

    def command(self, program, contender, *arguments):
        return [self.path(self.for_contender(program, contender)), contender, *arguments]

    def rows(self, program, *arguments):
        """Run a program and return the objects that it prints, one a line."""
        output = _run([self.path(program), *arguments])
        return [json.loads(line) for line in output.splitlines()]

    def ask(self, program, contender, *arguments):
        """The objects that a contender's program prints."""
        output = _run(self.command(program, contender, *arguments))
        return [json.loads(line) for line in output.splitlines()]

    def ask_peer(self, *arguments):
        """The object that Python's own loop prints."""
        return self.ask_peers(*arguments)[0]

    def ask_peers(self, *arguments):
        """The objects that Python's own loop prints."""
        output = _run([sys.executable, PEERS, *arguments])
        return [json.loads(line) for line in output.splitlines()]

    def interleave(self, rounds, works):
        """{name: samples} of `rounds` turns of all, each in an order of its own.

        What ran just before leaves the caches and the clock as it likes them: who comes
        after whom has to change.
        """
        samples = {name: [] for name in works}
        shuffle = random.Random(rounds).sample
        for _ in range(rounds):
            for name in shuffle(list(works), len(works)):
                samples[name].append(works[name]())
        return samples

    @contextlib.contextmanager
    def server(self, contender, connections, *mode):
        """(server, client) on a core each."""
        if contender in ('selectors', 'asyncio'):
            command = [sys.executable, PEERS, contender]
        elif contender == 'libuv streams':
            command = [self.path('stream_server')]
        else:
            command = self.command('server', contender, *mode)
        server = Child(command, 0)
        try:
            port = server.read()
            client = Child([self.path('client'), port, connections], 1)
            try:
                if client.read() != 'ready':
                    raise BenchmarkError(f'{client.shown}: not ready')
                yield server, client
            finally:
                client.close()
        finally:
            server.close()

    def count(self, program, contender, *arguments):
        """(user-space instructions, allocations) of a whole run, counted by callgrind."""
        if shutil.which('valgrind') is None:
            raise BenchmarkError('valgrind is needed to count instructions')
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / 'callgrind.out'
            _run(['valgrind', '--tool=callgrind', f'--callgrind-out-file={out}',
                  *self.command(program, contender, *arguments)])
            text = out.read_text(encoding='utf-8')
        totals = re.search(r'^totals: (\d+)', text, re.MULTILINE)
        if totals is None:
            raise BenchmarkError('callgrind wrote no totals')
        return int(totals[1]), _count_allocations(text)

    def count_system_calls(self, program, contender, *arguments):
        """{name: calls} of a whole run, counted by strace."""
        if shutil.which('strace') is None:
            raise BenchmarkError('strace is needed to count system calls')
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / 'strace.out'
            _run(['strace', '-f', '-c', '-o', out,
                  *self.command(program, contender, *arguments)])
            calls = re.findall(r'^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$',
                               out.read_text(encoding='utf-8'), re.MULTILINE)
        return {name: int(count) for count, name in calls if name != 'total'}
