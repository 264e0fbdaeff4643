# SPDX-License-Identifier: MIT
"""Which suites run a line of lib/: gcov's counts of a build, taken of each suite alone."""

import bisect
import collections
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading

import build
import scratch
from harness import running

BOUND = 600  # seconds for a suite that counts


def count(counts, directory):
    """{file: {line: how often it was run}} of the counts below a directory."""
    lines = collections.defaultdict(collections.Counter)
    files = [path for path in pathlib.Path(counts).rglob('*.gcda')
             if path.parent.name.startswith('lib')]  # of programs nothing is asked
    for file in files:
        notes = file.with_suffix('.gcno')
        notes.symlink_to(build.TOP.root / notes.relative_to(counts))
    said = subprocess.run(['gcov', '--json-format', '--stdout', *map(str, files)], check=True,
                          capture_output=True).stdout if files else b''
    for report in said.splitlines():
        for source in json.loads(report)['files']:
            path = pathlib.Path(os.path.normpath(directory / source['file']))
            if path.is_relative_to(build.TOP / 'lib'):
                counted = lines[str(path.relative_to(build.TOP))]
                for line in source['lines']:
                    counted[line['line_number']] += line['count']
    return lines


def lines_run_by(test, directory, logs):
    """The same, of what a suite runs.  What comes of it is not asked."""
    with tempfile.TemporaryDirectory() as counts:
        os.chmod(counts, 0o777)  # some suites are nobody's for a while
        scratch.run(test, logs / f'{test["name"]}.log',
                    {'GCOV_PREFIX': counts, 'TEST_INSTRUMENTED': '1',
                     'CK_TIMEOUT_MULTIPLIER': '4'}, BOUND, threading.Event())
        return count(counts, directory)


def measure():
    """{file: {line: the suites that run it}}; none of a line that is code and never run."""
    directory = build.build('coverage')
    suites = scratch.Suites(directory, scratch.COPY / 'logs' / 'coverage')
    reached = collections.defaultdict(lambda: collections.defaultdict(list))
    with concurrent.futures.ThreadPoolExecutor(running.JOBS) as pool:
        found = pool.map(lambda test: lines_run_by(test, directory, suites.logs),
                         suites.tests.values())
        for name, lines in zip(suites.tests, found):
            for file, counts in lines.items():
                for line, times in counts.items():
                    reached[file][line] += [name] if times else []
    return reached


class Reach:
    """What measure() says, asked by line; some suites are left out."""

    def __init__(self, reached, left_out=()):
        self.suites = {
            file: {int(line): [name for name in names if name not in left_out]
                   for line, names in lines.items()} for file, lines in reached.items()}
        self.lines = {file: sorted(lines) for file, lines in self.suites.items()}

    def of(self, change):
        """The suites that run it; None where the file or the function is not in the build.

        A line that goes on what another began may have no count of its own.
        """
        lines = self.lines.get(change.file, [])
        at = bisect.bisect_right(lines, change.line) - 1
        if at < 0 or lines[at] < change.first:
            return None
        return self.suites[change.file][lines[at]]
