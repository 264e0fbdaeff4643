#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is every call that leaves the library in the table of faults, and the table's in the
library?

Usage: check_calls.py TORTURE_PROGRAM LIBRARY

The program prints its table.  What `nm` finds undefined in the library's objects has a row
there or a reason for having none; a row for what nothing calls is old.  The objects are
where Meson puts them: beside the library.
"""

import pathlib
import re
import subprocess
import sys

# What compilers, linkers and instruments put into objects by themselves.
NOT_OURS = re.compile(
    r'_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|_?_?(asan|ubsan|tsan|msan|lsan|gcov|llvm|sanitizer)_'
    r'|__sanitizer|__cyg_profile|__afl|__u?(div|mod|divmod)di[34]$')


def plain(symbol):
    """Without what large files, fortification and C23 add to a name."""
    symbol = symbol.partition('@')[0]
    symbol = re.sub(r'^__isoc23_', '', symbol)
    symbol = re.sub(r'^__(\w+)_chk$', r'\1', symbol)
    return re.sub(r'^(fcntl|fstat|ftruncate|mmap|open|pwrite)64$', r'\1', symbol)


def called(objects):
    """What the objects call and none of them defines."""
    listing = subprocess.run(['nm', '-g', *objects], check=True, capture_output=True, text=True)
    defined, undefined = set(), set()
    for line in listing.stdout.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] in 'Uw':
            undefined.add(words[1])
        elif len(words) == 3:
            defined.add(words[2])
    return {plain(s) for s in undefined - defined if not NOT_OURS.match(s)}


def read_table(program):
    """(what is made to fail, {what is not: why})"""
    listing = subprocess.run([program, 'table'], check=True, capture_output=True, text=True)
    rows, reasons = set(), {}
    for line in listing.stdout.splitlines():
        verb, _, rest = line.partition(' ')
        symbols, _, reason = rest.partition(': ')
        if verb == 'fails':
            rows.update(symbols.split())
        else:
            reasons.update(dict.fromkeys(symbols.split(), reason))
    return rows, reasons


def main():
    program, library = sys.argv[1:]
    objects = sorted(pathlib.Path(f'{library}.p').glob('*.o'))
    if not objects:
        sys.exit(f'no objects in {library}.p')
    rows, reasons = read_table(program)
    calls = called(objects)
    complaints = [f'{symbol}: called, and has neither a row nor a reason'
                  for symbol in calls - rows - reasons.keys()]
    complaints += [f'{symbol}: has a row, and nothing calls it' for symbol in rows - calls]
    complaints += [f'{symbol}: has both' for symbol in rows & reasons.keys()]
    complaints += [f'{symbol}: has an empty reason' for symbol, why in reasons.items() if not why]
    for complaint in sorted(complaints):
        print(f'FAILED {complaint}')
    print(f'{len(calls & rows)} calls are made to fail, {len(calls - rows)} are left out')
    return 1 if complaints or not calls else 0


if __name__ == '__main__':
    sys.exit(main())
