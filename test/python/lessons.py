#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the tests of the lessons (test_lessons_*.py) and print a table of them.

    python3 lessons.py --programs DIR

where DIR holds the compiled demo programs.  A row for each lesson: does the C program
run, does its twin in Python, do both say the same to the same client, and do server and
client of different languages get on.  "n.a." is a lesson without two sides.  The last
line is `N passed, N failed`; the exit status is 0 only if none failed.
"""
import argparse
import importlib
import re
import resource
import sys
import unittest
from collections import defaultdict
from pathlib import Path

import support

HERE = Path(__file__).resolve().parent
COLUMNS = {"c_runs": "C runs", "twin_runs": "twin runs",
           "same_transcript": "same transcript", "crossed": "crossed"}
CELL = re.compile(rf"test_(\w+?)_({'|'.join(COLUMNS)})")

LESSONS = {
    "01": "one client at a time", "02": "the raw select loop",
    "03": "ten clients at once", "04": "the raw poll loop",
    "05": "the raw epoll loop", "06": "level against edge",
    "07": "the reactor: selectors", "08": "SelectorKey and the family",
    "09": "select.select() itself", "10": "ten thousand clients", "11": "the chat room",
    "12": "sockets", "13": "five I/O models", "14": "three server models",
    "15": "three tasks", "16": "an event queue", "17": "processes",
    "18": "talking between processes", "19": "the pool", "20": "how many, how fast",
    "21": "from callbacks to coroutines",
    "claims": "claims",
}


class Verdicts(unittest.TextTestResult):
    """What came of each test, the worst of its subtests."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.of = {}

    def startTest(self, test):
        super().startTest(test)
        self.of[test.id()] = "yes"

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.of[test.id()] = "n.a."

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.of[test.id()] = "no"

    def addError(self, test, error):
        super().addError(test, error)
        self.of[test.id()] = "no"

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.of[test.id()] = "no"


def load_tests():
    loader = unittest.TestLoader()
    names = sorted(path.stem for path in HERE.glob("test_lessons_*.py"))
    return unittest.TestSuite(
        loader.loadTestsFromModule(importlib.import_module(name)) for name in names)


def make_rows(verdicts):
    """{lesson: {column: the worst verdict}}"""
    rows = defaultdict(dict)
    worst = ["no", "yes", "n.a."]
    for test, verdict in verdicts.items():
        if found := CELL.fullmatch(test.rpartition(".")[2]):
            row = rows[found[1]]
            row[found[2]] = min(verdict, row.get(found[2], verdict), key=worst.index)
    return rows


def print_table(rows):
    print("lesson".ljust(32) + "  ".join(COLUMNS.values()))
    for number, row in sorted(rows.items()):
        lesson = f"{number:<3}{LESSONS.get(number, '')}"
        if number == "claims":
            lesson = LESSONS[number]
        cells = [row.get(column, "-").ljust(len(title))
                 for column, title in COLUMNS.items()]
        print((lesson.ljust(32) + "  ".join(cells)).rstrip())


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n")


def main():
    parser = Parser(description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", type=Path, required=True, metavar="DIR",
                        help="where the compiled demo programs are")
    support.programs = parser.parse_args().programs.resolve()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    runner = unittest.TextTestRunner(stream=sys.stderr, resultclass=Verdicts)
    result = runner.run(load_tests())
    print_table(make_rows(result.of))
    verdicts = list(result.of.values())
    # and what went wrong outside a test, in a class's or a module's setting up
    verdicts += ["no" for test, _ in result.errors
                 if not isinstance(test, unittest.TestCase)]
    passed, failed = verdicts.count("yes"), verdicts.count("no")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
