# SPDX-License-Identifier: MIT
"""What the tests' programs said, and the table of tests x backends made from it."""

import collections
import html
import pathlib
import re

# One test on one backend (column '' where it belongs to none).
Outcome = collections.namedtuple('Outcome', 'suite test column passed message')

COLUMNS = ['uv', 'epoll', 'kqueue', 'poll', 'select', 'default']
OTHER = 'other'
FREE = '(tests of no backend)'

RECORD = re.compile(r'<test result="(\w+)">(.*?)</test>', re.DOTALL)
BACKEND_TEST = re.compile(
    r'\badd_(?:backend|selector|fileno)_test\(\s*\w+,\s*(\w+)\s*\)'
    r'|\badd_test_between\(\s*\w+,\s*(\w+),')
RAN = re.compile(r'^Ran (\d+) tests? in .*\n\n(?:OK|FAILED)', re.MULTILINE)
FAILURE = re.compile(r'^(?:FAIL|ERROR): (\w+) \(([\w.]+)\) ?(.*)$', re.MULTILINE)
# With -v a test's line is `name (where) ... ok`; its first line of documentation, if it
# has one, comes before the dots on a line of its own.
VERDICT = re.compile(
    r'^(\w+) \(([\w.]+)\)(?:\n.*)? \.\.\. (ok|skipped .*)$', re.MULTILINE)


class Columns:
    """Which column a test's loop variable means, read from where the tests are added."""

    def __init__(self, directory):
        text = '\n'.join(p.read_text() for p in sorted(directory.glob('*/*.c')))
        self.backend_tests = {a or b for a, b in BACKEND_TEST.findall(text)}

    def column(self, test, iteration):
        if test in self.backend_tests:
            return COLUMNS[iteration]
        return OTHER


def field(record, name):
    found = re.search(f'<{name}>(.*?)</{name}>', record, re.DOTALL)
    return html.unescape(found[1]) if found else ''


def read_check_log(path, suite, columns):
    """The outcomes in a log that libcheck wrote for CK_XML_LOG_FILE_NAME.

    It does not escape control characters, so an XML parser would refuse some of them.
    """
    outcomes = []
    for result, record in RECORD.findall(pathlib.Path(path).read_text(errors='replace')):
        test, iteration = field(record, 'id'), int(field(record, 'iteration'))
        column = columns.column(test, iteration)
        message = f'{field(record, "fn")}: {field(record, "message")}'
        if column == OTHER and iteration > 0:
            message += f' (_i == {iteration})'
        outcomes.append(Outcome(suite, test, column, result == 'success', message))
    return outcomes


def column_of_class(where):
    """A class that is made for each backend has the backend's name at its end.

    `where` is module.class.test; of what is skipped as a whole, the module alone.
    """
    last = where.rpartition('.')[0].rpartition('_')[2]
    return last if last in COLUMNS else OTHER


def read_unittest(output, suite):
    """(outcomes, skipped tests) of unittest's -v output, or None where it is none."""
    ran = RAN.search(output)
    if not ran:
        return None
    outcomes, skips, seen = [], [], set()
    for test, where, verdict in VERDICT.findall(output):
        column = column_of_class(where)
        seen.add((test, where))
        if verdict == 'ok':
            outcomes.append(Outcome(suite, test, column, True, ''))
        else:
            skips.append((test, verdict.partition(' ')[2].strip('\'"')))
    for test, where, with_what in FAILURE.findall(output):
        column = column_of_class(where)
        seen.add((test, where))
        message = f'{with_what or where}, see its output'
        outcomes.append(Outcome(suite, test, column, False, message))
    unnamed = max(0, int(ran[1]) - len(seen))
    outcomes += [Outcome(suite, '(others)', OTHER, True, '')] * unnamed
    return outcomes, skips


def describe(outcome):
    where = '' if outcome.column == OTHER else f' ({outcome.column})'
    return f'FAILED {outcome.test}{where}: {outcome.message}'


def cell(outcomes):
    if not outcomes:
        return '-'
    failed = sum(not o.passed for o in outcomes)
    count = len(outcomes)
    if failed:
        return f'FAIL {failed}/{count}' if count > 1 else 'FAIL'
    return f'ok {count}' if count > 1 else 'ok'


def group(outcomes):
    """{suite: {row: {column: outcomes}}}.

    The tests of a suite that belong to no backend share a row, but for those that failed.
    """
    suites = collections.defaultdict(lambda: collections.defaultdict(dict))
    bound = {(o.suite, o.test) for o in outcomes if o.column != OTHER}
    for o in outcomes:
        row = o.test if (o.suite, o.test) in bound or not o.passed else FREE
        suites[o.suite][row].setdefault(o.column, []).append(o)
    return suites


def table(outcomes):
    """Rows: tests, by suite; columns: backends.  A number counts rows or builds."""
    suites = group(outcomes)
    used = {o.column for o in outcomes}
    columns = [c for c in [*COLUMNS, OTHER] if c in used]
    width = max((len(row) for rows in suites.values() for row in rows), default=0) + 4
    lines = [''.ljust(width) + ''.join(c.ljust(10) for c in columns)]
    for suite, rows in sorted(suites.items()):
        lines.append(suite)
        for row in sorted(rows, key=lambda row: row == FREE):
            cells = (cell(rows[row].get(c)).ljust(10) for c in columns)
            lines.append(f'  {row}'.ljust(width) + ''.join(cells))
    return '\n'.join(line.rstrip() for line in lines)
