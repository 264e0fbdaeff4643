#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The compilers' and others' analysers over lib/, demo/ and include/: they find nothing.

    python3 -m harness.analysers [FILE...]      (in test/) what they find in these files, or in all

EXCUSED holds what they report and is no fault, with the reason.  An entry that excuses
nothing any more is itself a failure.
"""

import collections
import concurrent.futures
import fnmatch
import os
import re
import subprocess
import sys
import time

import build
from harness import results, running

BOUND = 200  # seconds for one file
FINDING = re.compile(r'^(.+?):(\d+):\d+: (?:\w+ )?(?:warning|error): (.*)$', re.MULTILINE)
# It does not know C11's word for a function that never returns.
NORETURN = '-D_Noreturn=__attribute__((noreturn))'
CPPCHECK = [
    'cppcheck', '--quiet', NORETURN, '--std=c11', '--enable=warning,performance,portability',
    '--inline-suppr', '--error-exitcode=1',
    '--template={file}:{line}:{column}: warning: {message} [{id}]', '--template-location=',
]

Finding = collections.namedtuple('Finding', 'file line message')

# analyser, file, what it says (* stands for any in all three), and why that is no fault.
EXCUSED = [
    ('gcc_fanalyzer', 'demo/lessons/16_event_queue.c', 'leak of *e* [[]CWE-401]*',
     'the event is in the queue, and run_event() frees it'),
    ('gcc_fanalyzer', 'lib/base/grow.h', 'use of uninitialized value*grown*',
     'realloc() has returned it'),
    ('gcc_fanalyzer', 'lib/reactor/signals.c', 'dereference of NULL *[[]CWE-476]*',
     'without an error there is a handler'),
    ('clang_tidy', 'lib/*', '*bugprone-narrowing-conversions]',
     "poll(2)'s bits fit its short, and so does what is made of them"),
    ('clang_tidy', 'lib/backend/epoll_wait.c', '*readability-redundant-declaration]',
     'not every C library has it'),
    ('clang_tidy', 'lib/uv/dispositions.c', 'Dereference of null pointer*',
     'what is started is in the list'),
    ('clang_tidy', 'lib/uv/pool.c', '*cert-err34-c]', 'libuv reads it so'),
    ('clang_tidy', 'lib/reactor/signals.c', "Access to field 'task'*",
     'without an error there is a handler'),
    ('clang_tidy', 'demo/*', 'Use of memory after it is freed*',
     'hang_up() has taken it out of the list'),
    ('clang_tidy', 'demo/echo.c', "parameter 'mask' is unused*", 'it is to be short'),
    ('clang_tidy', 'demo/chat/chat_text.c', '*bugprone-not-null-terminated-result]',
     'the text has a length'),
    ('clang_tidy', 'demo/kit/command_line.c', "Access to field 'name'*core.NullDereference]",
     'the options are an array with an end'),
    ('clang_tidy', 'demo/*', '*bugprone-implicit-widening-of-multiplication-result]',
     'twice a small constant'),
    ('clang_tidy', 'demo/first/*', '*cert-err34-c]', 'what is no number is port 0, one that is free'),
    ('clang_tidy', 'demo/*', '*cert-err34-c]',
     'it scans what the kernel wrote, or the other end of the same demonstration'),
    ('clang_tidy', 'demo/lessons/13_io_models.c', "*'answer' can be pointer to const*",
     'the kernel writes there'),
    ('clang_tidy', 'demo/kit/listen.c', '*garbage value*', 'getsockname() has filled it'),
    ('clang_tidy', 'demo/lessons/14_measure.c', '*uninitialized value*',
     'getsockname() has filled it'),
    ('clang_tidy', 'demo/lessons/12_sockets.c', '*uninitialized value*', 'getsockname() has filled it'),
    ('clang_tidy', 'demo/kit/loopback.c', '*uninitialized value*', 'getsockname() has filled it'),
    ('clang_tidy', 'demo/kit/process.c', "Call to function 'strcat'*",
     'vsnprintf() left room for the one character'),
    ('clang_tidy', 'lib/base/set_epoll.c', "*'place' can be pointer to const*",
     'set_kqueue.c takes the number anew'),
    ('cppcheck', 'lib/base/grow.h', 'Memory leak: grown*', 'the caller has it'),
    ('cppcheck', 'demo/chat/chat_client.c', 'Uninitialized variable: text*',
     'of an empty line nothing is printed'),
]


def flags(generated):
    """What the sources need to be read; `generated` is a build's directory."""
    return ['-std=c11', '-D_GNU_SOURCE', '-Iinclude', '-Ilib', '-Idemo', f'-I{generated / "lib"}',
            f'-I{generated / "include"}', '-Itest/kqueue/include']


def gcc(source, generated):
    return ['gcc', *flags(generated), '-fanalyzer', '-O0', '-g', '-c', source, '-o', os.devnull]


def clang_tidy(source, generated):
    return ['clang-tidy', '--quiet', source, '--', *flags(generated)]


def cppcheck(source, generated):
    return [*CPPCHECK, *(f for f in flags(generated) if not f.startswith('-std')), source]


ANALYSERS = {'gcc_fanalyzer': gcc, 'clang_tidy': clang_tidy, 'cppcheck': cppcheck}


def sources():
    return sorted(str(path.relative_to(build.TOP)) for directory in ('lib', 'demo')
                  for path in (build.TOP / directory).rglob('*.c'))


def analyse_one(command):
    """(what it found, all that it said) of one file."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=BOUND,
                             cwd=build.TOP, check=False)
    except subprocess.TimeoutExpired:
        return [Finding(command[-1], 0, f'not done in {BOUND} s')], ''
    said = ran.stdout + ran.stderr
    found = [Finding(os.path.relpath(build.TOP / file, build.TOP), int(line), message)
             for file, line, message in FINDING.findall(said)]
    if ran.returncode != 0 and not found:
        found = [Finding(' '.join(command), 0, f'exit status {ran.returncode}: {said}')]
    return found, said


def excuse(analyser, finding):
    """The entry of EXCUSED that excuses it, or None."""
    for entry in EXCUSED:
        if (entry[0] == analyser and fnmatch.fnmatchcase(finding.file, entry[1])
                and fnmatch.fnmatchcase(finding.message, entry[2])):
            return entry
    return None


def analyse(analyser, files, generated):
    """(what is found and not excused, the excuses that were used, all that was said)"""
    commands = [ANALYSERS[analyser](file, generated) for file in files]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        answers = list(pool.map(analyse_one, commands))
    found = sorted(set(sum((a[0] for a in answers), [])))  # a header's once
    excuses = [excuse(analyser, finding) for finding in found]
    left = [finding for finding, entry in zip(found, excuses) if entry is None]
    return left, set(filter(None, excuses)), ''.join(a[1] for a in answers)


def run(analyser, generated, logs):
    """A Run of one test: the analyser finds nothing."""
    start = time.monotonic()
    left, used, said = analyse(analyser, sources(), generated)
    lines = [f'{f.file}:{f.line}: {f.message}' for f in left]
    lines += [f'excuses nothing: {entry}' for entry in EXCUSED
              if entry[0] == analyser and entry not in used]
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f'{analyser}.log'
    log.write_text(said)
    outcome = results.Outcome('analysers', f'{analyser}_finds_nothing', results.OTHER,
                              not lines, f'{len(lines)} things')
    return running.Run(analyser, [outcome], [], time.monotonic() - start, '\n'.join(lines), log)


def main(*files):
    generated = build.build('gcc')
    for analyser in ANALYSERS:
        left, _, said = analyse(analyser, files or sources(), generated)
        for finding in left:
            print(f'{analyser}: {finding.file}:{finding.line}: {finding.message}')
        if files:
            print(said)


if __name__ == '__main__':
    main(*sys.argv[1:])
