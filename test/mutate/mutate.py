#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Changes made at random in lib/, one at a time: does a test notice?

    mutate.py [N [SEED]]

Each change is made in a copy of the tree and built; the suites that run the changed line are
run until one fails.  What all of them let pass survives: a test is missing, or both programs
are equal, and then equal.txt says why.  A change that is no program, that is the same to
the compiler or is listed as equal is not counted: another is made in its place.  The exit
status is 0 if none survived.
"""

import collections
import hashlib
import json
import pathlib
import random
import resource
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import build  # noqa: E402
import changes  # noqa: E402
import equal  # noqa: E402
import reach  # noqa: E402
import scratch  # noqa: E402
from harness import coverage  # noqa: E402

COUNT = 60
RECORDS = scratch.COPY / 'records'
MEMORY = 8 << 30  # of a program that has become insatiable
FILE = 1 << 30
NOTICED, SURVIVED = 'noticed', 'SURVIVED'
NO_PROGRAM, SAME, KNOWN = 'no program', 'the same to the compiler', 'known as equal'

# What came of a change, and the suite that noticed it.
Outcome = collections.namedtuple('Outcome', 'verdict suite', defaults=[None])


def digest(test, directory):
    """What says which program it is, down to the numbers of its lines."""
    files = [path.read_bytes() for path in scratch.files_run_by(test, directory)]
    return hashlib.sha256(b''.join(files)).hexdigest()


def measure(test, suites, directory, stopped):
    """A suite's record: what it runs, how long it takes and whether it passes."""
    name = test['name']
    lines = reach.lines_run_by(test, directory, scratch.LOGS / f'{name}.coverage.log', stopped)
    start = time.monotonic()
    passes = suites.passes(name, stopped)
    seconds = time.monotonic() - start
    print(f'  {name}: {seconds:.1f} s', '' if passes else 'FAILED: it is left out', flush=True)
    return {'program': digest(test, directory), 'lines': lines, 'passes': passes,
            'seconds': seconds}


def prepare():
    """The suites, and what they reach; of those that are as they were, from the last time."""
    print('mutate: building', flush=True)
    scratch.copy_tree()
    scratch.build_all()
    suites, directory = scratch.Suites(), build.build('coverage')
    RECORDS.mkdir(exist_ok=True)

    def recorded(test, stopped):
        file = RECORDS / f'{test["name"]}.json'
        record = json.loads(file.read_text()) if file.exists() else {'passes': False}
        if not record['passes'] or record['program'] != digest(test, directory):
            record = measure(test, suites, directory, stopped)
            if not stopped.is_set():
                file.write_text(json.dumps(record))
        suites.seconds[test['name']] = record['seconds']
        return record['lines'] if record['passes'] else {}
    tests = scratch.read_suites(directory)
    lines = scratch.side_by_side(recorded, tests, threading.Event())
    return suites, reach.Reach({test['name']: ran for test, ran in zip(tests, lines)})


def candidates(texts, reached):
    """{(file, line): its changes} where the build has them and a test can reach them."""
    by_line = collections.defaultdict(list)
    for name, text in texts.items():
        left_out = coverage.left_out(build.TOP / name)[0]
        for change in changes.changes_of(name, text):
            if reached.of(change) is not None and f'{name}:{change.line}' not in left_out:
                by_line[name, change.line].append(change)
    return by_line


def drawn(by_line, rng):
    """All changes, each once: of any line, as likely as of any other, one of its own."""
    while by_line:
        line = rng.choice(list(by_line))
        yield by_line[line].pop(rng.randrange(len(by_line[line])))
        if not by_line[line]:
            del by_line[line]


class Mutation:
    """The copy, and what is done to it."""

    def __init__(self, suites, reached):
        self.suites = suites
        self.reached = reached
        self.equal = equal.read()
        self.code = scratch.build_library()

    def judge(self, change, text):
        if equal.key(change, text) in self.equal:
            return Outcome(KNOWN)
        file = scratch.COPY / change.file
        try:
            file.write_text(changes.make(change, text))
            if scratch.build_library() == self.code:
                return Outcome(SAME)
            failed = self.suites.first_to_fail(self.reached.of(change))
            return Outcome(NOTICED, failed) if failed else Outcome(SURVIVED)
        except scratch.CompileError:
            return Outcome(NO_PROGRAM)
        finally:
            file.write_text(text)


def describe(change, text):
    """Where it is, and the lines that are changed."""
    before, after = changes.lines_of(change, text)
    yield f'{change.file}:{change.line}: {change.function}'
    for sign, lines in (('-', before), ('+', after)):
        yield from (f'{sign}{line}' for line in lines.splitlines() if line.strip())


def mutate(count, seed):
    """The outcomes' numbers, and the changes that survived."""
    mutation = Mutation(*prepare())
    texts = {name: file.read_text() for name, file in scratch.files_of(scratch.COPY).items()
             if name.startswith('lib/') and name.endswith(('.c', '.h'))}
    counted, survivors = collections.Counter(), []
    for change in drawn(candidates(texts, mutation.reached), random.Random(seed)):
        if counted[NOTICED] + counted[SURVIVED] == count:
            break
        start, text = time.monotonic(), texts[change.file]
        outcome = mutation.judge(change, text)
        counted[outcome.verdict] += 1
        if outcome.verdict in (NOTICED, SURVIVED):
            said = '\n  '.join(describe(change, text))
            print(f'{said}\n  {outcome.verdict}{" by " * bool(outcome.suite)}'
                  f'{outcome.suite or ""} after {time.monotonic() - start:.1f} s', flush=True)
        if outcome.verdict == SURVIVED:
            survivors.append((change, text))
    return counted, survivors


def main(*arguments):
    if arguments and arguments[0] in ('-h', '--help'):
        print('usage: ./run mutate [N [SEED]]')
        return 0
    if len(arguments) > 2:
        sys.exit(f"run mutate: unexpected argument '{arguments[2]}'")
    for word in arguments:
        if not word.isascii() or not word.isdigit() or not 0 < int(word) < 1 << 31:
            sys.exit(f"run mutate: N and SEED are whole numbers from 1 up, not '{word}'")
    count = int(arguments[0]) if arguments else COUNT
    seed = int(arguments[1]) if len(arguments) > 1 else random.randrange(1, 1 << 31)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
    print(f'mutate: seed {seed}', flush=True)
    try:
        counted, survivors = mutate(count, seed)
    except build.BuildError as error:
        sys.exit(f'{error}\nrun mutate: the build failed')
    for change, text in survivors:
        print(*describe(change, text), sep='\n')
    print(*(f'{what}: {counted[what]}' for what in (KNOWN, SAME, NO_PROGRAM)), sep=', ')
    print(f'{counted[NOTICED] + counted[SURVIVED]} made, {counted[NOTICED]} noticed, '
          f'{counted[SURVIVED]} survived')
    return 1 if survivors else 0


if __name__ == '__main__':
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit('run mutate: interrupted')
