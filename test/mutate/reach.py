# SPDX-License-Identifier: MIT
"""Which suites run a line of lib/: gcov's counts of a build, taken of each suite alone."""

import bisect
import collections
import json
import os
import pathlib
import subprocess
import tempfile

import build
import scratch

BOUND = 900  # seconds for a suite that counts
ENVIRONMENT = {'TEST_INSTRUMENTED': '1', 'CK_TIMEOUT_MULTIPLIER': '10'}


def count(counts, directory):
    """{file: {line: how often it was run}} of the counts below a directory."""
    lines = collections.defaultdict(collections.Counter)
    files = [path for path in pathlib.Path(counts).rglob('*.gcda')
             if path.parent.name.startswith('lib')]  # of programs nothing is asked
    for file in files:
        notes = file.with_suffix('.gcno')
        notes.symlink_to(build.TOP.root / notes.relative_to(counts))
    said = subprocess.run(['gcov', '--json-format', '--stdout', *map(str, files)],
                          check=True, capture_output=True).stdout if files else b''
    for report in said.splitlines():
        for source in json.loads(report)['files']:
            path = pathlib.Path(os.path.normpath(directory / source['file']))
            if path.is_relative_to(build.TOP / 'lib'):
                counted = lines[str(path.relative_to(build.TOP))]
                for line in source['lines']:
                    counted[line['line_number']] += line['count']
    return lines


def lines_run_by(test, directory, log, stopped):
    """The same, of what a suite runs.  What comes of it is not asked."""
    with tempfile.TemporaryDirectory() as counts:
        os.chmod(counts, 0o777)  # some suites are nobody's for a while
        scratch.run(test, log, {**ENVIRONMENT, 'GCOV_PREFIX': counts}, BOUND, stopped)
        return count(counts, directory)


class Reach:
    """The suites, of {suite: what it runs}, asked by the line."""

    def __init__(self, lines_of):
        self.suites = collections.defaultdict(lambda: collections.defaultdict(list))
        for suite, files in lines_of.items():
            for file, lines in files.items():
                for line, times in lines.items():
                    self.suites[file][int(line)] += [suite] if times else []
        self.lines = {file: sorted(lines) for file, lines in self.suites.items()}

    def of(self, change):
        """Those that run it; None where the file or the function is not in the build.

        A line that goes on what another began may have no count of its own.
        """
        lines = self.lines.get(change.file, [])
        at = bisect.bisect_right(lines, change.line) - 1
        if at < 0 or lines[at] < change.first:
            return None
        return self.suites[change.file][lines[at]]
