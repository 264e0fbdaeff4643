# SPDX-License-Identifier: MIT
"""The changes that are known to leave the program what it was: equal.txt.

    file: function
    -a line as it is
    +as it is changed
      why no test can tell

A change is known by the words of its lines, whatever their number.  Several lines in a row
are one change; what is above a blank line is done.
"""

import pathlib

import changes

LIST = pathlib.Path(__file__).with_name('equal.txt')


def key(change, text):
    """By what a change is known."""
    before, after = changes.lines_of(change, text)
    return (change.file, change.function,
            changes.in_a_line(before), changes.in_a_line(after))


def parse(text):
    """{key: reason}"""
    entries = {}
    for block in text.split('\n\n'):
        lines = [line for line in block.splitlines() if not line.startswith('#')]
        if not lines:
            continue
        file, _, function = lines[0].partition(': ')
        before, after = (changes.in_a_line('\n'.join(
            line[1:] for line in lines[1:] if line.startswith(sign))) for sign in '-+')
        reason = ' '.join(line.strip() for line in lines[1:] if line.startswith(' '))
        entries[file, function, before, after] = reason
    return entries


def read():
    return parse(LIST.read_text())
