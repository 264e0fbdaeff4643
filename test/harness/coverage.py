# SPDX-License-Identifier: MIT
"""What of lib/ the tests run: gcovr's counts of two builds as one, judged.

    python3 -m harness.coverage     (in test/) the figures of what ran last, and what was not run

Every line and every branch outcome counts.  What no test can reach may be left out by one
of gcovr's markers, whose comment gives the reason: no more than LEFT_OUT lines in all.
"""

import collections
import json
import re
import subprocess
import sys
import time

import build
from harness import results, running

BUILDS = ('coverage', 'coverage-without-libuv')
BOUND = 300  # seconds for gcovr
LEFT_OUT = 10
LISTED = 200  # of what was not run
LIB = build.TOP / 'lib'
# Made for a kernel's kqueue, which Linux has not.
ELSEWHERE = rf'{re.escape(str(LIB))}/(backend/(kqueue|urgent)|base/kqueue)\.[ch]'
MARKER = re.compile(r'\b(?:GCOVR?|LCOV)_EXCL_((?:BR_)?(?:LINE|START|STOP))\b[:,;]?\s*(.*)')

# What the report says; `missed` are (file:line, what of it, its text), `left_out` the
# lines with a marker, `unreasoned` those of them without a reason.
Figures = collections.namedtuple(
    'Figures', 'lines lines_run branches branches_run missed left_out unreasoned')


class CoverageError(Exception):
    """gcovr failed; str() is what it said."""


def forget(directory):
    """Drop the counts of earlier runs."""
    for path in directory.rglob('*.gcda'):
        path.unlink()


def gcovr(directories, *options):
    """What gcovr prints of lib/, merged over the builds."""
    # Lines that have nothing but a brace have no branch that the source has.
    command = [
        'gcovr', '--root', str(build.TOP), '--filter', f'{LIB}/', '--exclude', ELSEWHERE,
        '--exclude-unreachable-branches',
        '--gcov-executable', 'gcov', *options, *map(str, directories)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=BOUND,
                         cwd=build.TOP, check=False)
    if ran.returncode != 0:
        raise CoverageError(f'{ran.stderr}gcovr: exit status {ran.returncode}')
    return ran.stdout


def left_out(path):
    """(lines that markers leave out, those of them whose marker has no reason)"""
    lines, unreasoned, inside = [], [], None
    for number, text in enumerate(path.read_text().splitlines(), 1):
        where = f'{path.relative_to(build.TOP)}:{number}'
        found = MARKER.search(text)
        kind = found[1].removeprefix('BR_') if found else ''
        reason = found[2].removesuffix('*/').strip() if found else ''
        if kind in ('LINE', 'START') and not reason:
            unreasoned.append(where)
        if kind == 'START':
            inside = where
        elif kind == 'STOP':
            inside = None
        elif kind == 'LINE' or (inside and text.strip()):
            lines.append(where)
    return lines, unreasoned


def missed_of(line):
    """What of a line was not run, in words, or None.

    gcov has two outcomes of each condition: the program goes on to what is written next,
    which is the next operand or the block, or it leaves for elsewhere.
    """
    branches = line['branches']
    if line['count'] == 0:
        return 'not run'
    never = [i for i, branch in enumerate(branches) if branch['count'] == 0]
    if not never:
        return None
    if any(branch['fallthrough'] is (i % 2 == 1) for i, branch in enumerate(branches)):
        return f'branch {", ".join(str(i + 1) for i in never)} of {len(branches)} never taken'
    return ', '.join(f'condition {i // 2 + 1} of {len(branches) // 2} never '
                     + ('leaves' if i % 2 else 'goes on') for i in never)


def count(report):
    """The figures of gcovr's JSON report."""
    missed, lines, branches = [], [], []
    for file in report['files']:
        source = (build.TOP / file['file']).read_text().splitlines()
        for line in file['lines']:
            if line['gcovr/noncode']:
                continue
            lines.append(line['count'])
            branches += [branch['count'] for branch in line['branches']]
            what = missed_of(line)
            if what:
                number = line['line_number']
                missed.append((f'{file["file"]}:{number}', what, source[number - 1].strip()))
    marked = [left_out(path) for path in sorted(LIB.rglob('*.[ch]'))]
    return Figures(len(lines), sum(map(bool, lines)), len(branches), sum(map(bool, branches)),
                   missed, sum((m[0] for m in marked), []), sum((m[1] for m in marked), []))


def measure(directories):
    """The figures of what ran in these builds since their counts were dropped."""
    return count(json.loads(gcovr(directories, '--json', '-')))


def write_html(directories, where):
    """A page for each file, with what was not run in red."""
    where.mkdir(parents=True, exist_ok=True)
    gcovr(directories, '--html-details', str(where / 'index.html'))
    return where / 'index.html'


def share(some, of):
    """'99.9 % (998 of 999)', never rounded up to 100."""
    return f'{some * 1000 // of / 10 if of else 0:.1f} % ({some} of {of})'


def describe(figures):
    """The line of the figures, and one for each thing to mend."""
    yield (f'coverage of lib/: lines {share(figures.lines_run, figures.lines)}, branches '
           f'{share(figures.branches_run, figures.branches)}, '
           f'left out {len(figures.left_out)} lines')
    for where, what, text in figures.missed[:LISTED]:
        yield f'{where}: {what}: {text}'
    if len(figures.missed) > LISTED:
        yield f'and {len(figures.missed) - LISTED} lines more'
    if len(figures.left_out) > LEFT_OUT:
        yield f'left out are {", ".join(figures.left_out)}: more than {LEFT_OUT}'
    for where in figures.unreasoned:
        yield f'{where}: left out without a reason'


def is_whole(figures):
    return (figures.lines > 0 and not figures.missed and not figures.unreasoned
            and len(figures.left_out) <= LEFT_OUT)


def judge(directories, log):
    """(the line of the figures, a Run of one test: is everything run?)"""
    start = time.monotonic()
    try:
        figures = measure(directories)
        said, whole = list(describe(figures)), is_whole(figures)
    except CoverageError as error:
        said, whole = ['coverage of lib/: unknown', str(error)], False
    log.write_text('\n'.join(said) + '\n')
    outcome = results.Outcome('coverage', 'all_of_lib_is_run', results.OTHER, whole, said[0])
    seconds = time.monotonic() - start
    return said[0], running.Run('coverage', [outcome], [], seconds, '\n'.join(said[1:]), log)


def main():
    try:
        print(*describe(measure([build.BUILD / name for name in BUILDS])), sep='\n')
    except CoverageError as error:
        sys.exit(str(error))


if __name__ == '__main__':
    main()
