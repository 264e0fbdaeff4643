#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which library works on which backend: every test of test/libraries, as one table.

    python3 test/libraries/table.py [--programs DIR] [LIBRARY...]

A cell is `yes` when each of the library's tests has passed on that backend, `NO` when one has
not, `-` where none was run; why stands below.  The programs are built first, unless a
directory is named.
"""

import argparse
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import build  # noqa: E402 (it is found only now)
from harness import results  # noqa: E402

BACKENDS = results.COLUMNS[:4]
BOUND = 600  # seconds for a library


def run(name, programs):
    """(outcomes, what there is to say of them) of a library's tests."""
    ended = subprocess.run(
        [sys.executable, str(HERE / f'test_{name}.py'), '--programs', str(programs), '-v'],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=BOUND,
        stdin=subprocess.DEVNULL)
    outcomes, skips = results.read_unittest(ended.stdout, name) or ([], [])
    said = sorted({f'{name}: skipped: {reason}' for _, reason in skips})
    if ended.returncode != 0:
        if all(outcome.passed for outcome in outcomes):
            outcomes += [results.Outcome(name, name, column, False, '') for column in BACKENDS]
        said.append(ended.stdout[ended.stdout.find('\n====='):])
    return outcomes, said


def cell(outcomes):
    if not all(outcome.passed for outcome in outcomes):
        return 'NO'
    return 'yes' if outcomes else '-'


def main():
    known = sorted(path.stem[len('test_'):] for path in HERE.glob('test_*.py'))
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--programs', type=pathlib.Path)
    parser.add_argument('libraries', nargs='*', metavar='LIBRARY', help=', '.join(known))
    options = parser.parse_args()
    if set(options.libraries) - set(known):
        parser.error(f'there are {", ".join(known)}')
    programs = options.programs or build.build('gcc') / 'test' / 'libraries'
    width = max(map(len, known)) + 4
    print(''.ljust(width) + ''.join(backend.ljust(10) for backend in BACKENDS).rstrip())
    below, has_failed = [], False
    for name in options.libraries or known:
        outcomes, said = run(name, programs)
        cells = [cell([o for o in outcomes if o.column == column]) for column in BACKENDS]
        row = name.ljust(width) + ''.join(text.ljust(10) for text in cells)
        print(row.rstrip(), flush=True)
        below += said
        has_failed = has_failed or not all(outcome.passed for outcome in outcomes)
    print(*below, sep='\n', end='\n' if below else '')
    return has_failed


if __name__ == '__main__':
    sys.exit(main())
