# SPDX-License-Identifier: MIT
"""The descriptors that a test leaves open, from valgrind's lists of them (--track-fds=yes).

Valgrind writes a list for every process that ends with more than the standard three.  Those
that have to leave nothing are the tests, which tell their end where TEST_TELLS_END is set: a
child that a test forks may end with what it has inherited.
"""

import re

from harness import results

ENDED = re.compile(r'^test process (\d+) ends$', re.MULTILINE)
LISTED = re.compile(r'^==\d+== FILE DESCRIPTORS: ', re.MULTILINE)
# One descriptor: what it is, and where it was opened.
OPENED = re.compile(r'^Open (.+)\n((?: +(?:at|by) .*\n| +<inherited.*\n)*)', re.MULTILINE)
CALL = re.compile(r'(?:at|by) 0x\w+: (\w+)')
INHERITED = '<inherited from parent>'
# Where libcheck opens the file for what a test tells it, and its log.
EXCUSED = [INHERITED, 'open_tmp_file', 'srunner_init_logging']
SHOWN = 5  # of what was left
CALLS = 8  # of those that led to its opening


def said_by(pid, output):
    """What valgrind said in this process; lines of several may be mixed."""
    return ''.join(line + '\n' for line in
                   re.findall(rf'^==(?:{pid})== ?(.*)$', output, re.MULTILINE))


def left_open(output):
    """(what, where it was opened) of each descriptor that a test left."""
    for pid in ENDED.findall(output):
        for what, where in OPENED.findall(said_by(pid, output)):
            if not any(words in where for words in EXCUSED):
                yield what.rstrip(':'), where


def examine(suite, output):
    """One more test of a suite of libcheck's: did none of its tests leave one open?"""
    if not ENDED.search(output):
        return []
    left = [f'{what} by {" < ".join(CALL.findall(where)[:CALLS])}'
            for what, where in left_open(output)]
    # There is always one, libcheck's own.
    message = f'left open: {"; ".join(left[:SHOWN])}' if left else 'valgrind listed none'
    good = not left and LISTED.search(output) is not None
    return [results.Outcome(suite, '(its descriptors)', results.OTHER, good, message)]
