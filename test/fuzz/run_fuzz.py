#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fuzz one target for a while: what `./run fuzz` starts.

    run_fuzz.py [TARGET [SECONDS [SEED]]]

Without arguments it lists the targets.  It starts from the inputs in the tree, which it
only reads; it keeps new ones in build/fuzz/corpus, and those that break a promise in
build/fuzz/findings.  The exit status is 0 if none did.
"""

import os
import pathlib
import random
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import build  # noqa: E402

SECONDS = 60
GRACE = 120  # more seconds, to start and to end
LAST_LINES = 60
# The longest inputs worth trying: operations are three bytes each, and capped.
LONGEST = {'operations': 385, 'reactor': 193, 'chat_text': 1200, 'relay': 400}
OPTIONS = [
    '-timeout=20', '-rss_limit_mb=2048', '-print_final_stats=1', '-len_control=20',
    '-reload=0', '-verbosity=1',
]
ENVIRONMENT = {
    'ASAN_OPTIONS': 'detect_leaks=1:quarantine_size_mb=16:handle_abort=0',
    'UBSAN_OPTIONS': 'print_stacktrace=1',
}
RUNS = re.compile(r'^stat::number_of_executed_units: *(\d+)', re.MULTILINE)


def targets():
    """Their names: a target's file and its corpus have the same name."""
    return sorted(path.name for path in (HERE / 'corpus').iterdir() if path.is_dir())


def command(directory, target, seconds, seed):
    """libFuzzer's command line; it writes into the first directory only."""
    kept = directory / 'corpus' / target
    findings = directory / 'findings'
    kept.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    words = HERE / f'{target}.dict'
    longest = LONGEST.get(target, 600)
    return [
        str(directory / 'test' / 'fuzz' / f'fuzz_{target}'), *OPTIONS,
        f'-max_total_time={seconds}', f'-seed={seed}', f'-max_len={longest}',
        f'-artifact_prefix={findings}/{target}-',
        *([f'-dict={words}'] if words.exists() else []),
        str(kept), str(HERE / 'corpus' / target),
    ]


def fuzz(directory, target, seconds, seed):
    """Run a target that is built; returns the exit status."""
    log = directory / f'{target}.log'
    start = time.monotonic()
    with open(log, 'wb') as output:
        try:
            status = subprocess.run(
                command(directory, target, seconds, seed), stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, **ENVIRONMENT}, timeout=seconds + GRACE).returncode
        except subprocess.TimeoutExpired:
            status = f'not finished after {seconds + GRACE} s'
    said = log.read_text(errors='replace')
    runs = RUNS.search(said)
    if status != 0:
        lines = [line for line in said.splitlines() if not line.startswith('#')]
        print(*lines[-LAST_LINES:],
              f'fuzz {target}: {status}; to repeat it: '
              f'FUZZ_VERBOSE=1 {directory}/test/fuzz/fuzz_{target} INPUT', sep='\n')
    print(f'fuzz {target}: {runs[1] if runs else "?"} runs in '
          f'{time.monotonic() - start:.0f} s, seed {seed}')
    return 0 if status == 0 else 1


def tests(seconds):
    """All targets, each for that long, in the form of meson's tests."""
    return [{
        'name': f'fuzz_{target}',
        'cmd': [sys.executable, __file__, target, str(seconds)], 'env': {},
        'timeout': seconds + GRACE + build.BOUND, 'workdir': None, 'is_parallel': True,
        'suite': ['fuzz'],
    } for target in targets()]


def last_line(log):
    """The last line of a target's run, in a list."""
    return log.read_text(errors='replace').splitlines()[-1:] if log.exists() else []


def number(name, text, lowest):
    if not text.isascii() or not text.isdigit() or not lowest <= int(text) < 1 << 31:
        sys.exit(f"run fuzz: {name} must be a whole number from {lowest} up, not '{text}'")
    return int(text)


def main(*arguments):
    if not arguments or arguments[0] in ('-h', '--help'):
        print('usage: ./run fuzz TARGET [SECONDS [SEED]]', *targets(), sep='\n  ')
        return 0
    if arguments[0] not in targets():
        sys.exit(f"run fuzz: there is no target '{arguments[0]}'; ./run fuzz lists them")
    if len(arguments) > 3:
        sys.exit(f"run fuzz: unexpected argument '{arguments[3]}'")
    seconds = number('SECONDS', arguments[1], 1) if len(arguments) > 1 else SECONDS
    seed = number('SEED', arguments[2], 1) if len(arguments) > 2 else \
        random.SystemRandom().randrange(1, 1 << 31)
    try:
        directory = build.build('fuzz', f'test/fuzz/fuzz_{arguments[0]}')
    except build.BuildError as error:
        sys.exit(f'{error}\nrun fuzz: the build failed')
    return fuzz(directory, arguments[0], seconds, seed)


if __name__ == '__main__':
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit('run fuzz: interrupted')
