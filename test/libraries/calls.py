#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The system calls that a request takes, of each library on each backend and beside others.

    python3 test/libraries/calls.py [--programs DIR] [LIBRARY...]

Two runs are counted by strace, a short one and a long one; their difference is of requests
alone.  Each request is made when the one before it has ended.
"""

import argparse
import collections
import pathlib
import re
import subprocess
import sys
import unittest

import backends
import test_curl
import test_hiredis

BUILD = pathlib.Path(__file__).resolve().parents[2] / 'build' / 'gcc'
SHORT, LONG = 20, 220
LINE = re.compile(r'^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$', re.MULTILINE)

# What is measured: its name, a server for it, its program with its arguments but for the
# count, and the programs beside it.
Library = collections.namedtuple('Library', 'name server command others')


def curl_command(path):
    return lambda server: ['calls_curl', test_curl.url(path, server)]


LIBRARIES = [
    # An answer takes its time: one that is there at once needs no wait.
    Library('libcurl, kept alive', test_curl.nginx, curl_command('paced/small'),
            {'libuv': ['calls_curl_uv']}),
    Library('libcurl, once', test_curl.nginx, curl_command('once/small'),
            {'libuv': ['calls_curl_uv']}),
    Library('hiredis', test_hiredis.redis_command,
            lambda server: ['calls_hiredis_selkie', server.port],
            {'libuv': ['calls_hiredis_uv'], 'libev': ['calls_hiredis_ev']}),
]


def count(command, backend, requests):
    """{system call: how often} of a run."""
    ended = subprocess.run(
        [backends.tool('strace', 'strace'), '-f', '-c', '-o', '/dev/stdout',
         backends.program(command[0]), *map(str, command[1:]), str(requests)],
        env=backends.environment(backend), text=True, capture_output=True, timeout=600)
    if ended.returncode != 0:
        sys.exit(f'{command[0]}: {ended.stdout}{ended.stderr}')
    return collections.Counter({name: int(calls) for calls, name in LINE.findall(ended.stdout)
                                if name != 'total'})


def calls(command, backend=None):
    """{system call: how often} of one request."""
    short, long = (count(command, backend, requests) for requests in (SHORT, LONG))
    return {name: (long[name] - short[name]) / (LONG - SHORT) for name in long
            if abs(long[name] - short[name]) > (LONG - SHORT) / 20}


def show(column, taken):
    total = sum(taken.values())
    most = ', '.join(f'{name} {n:.1f}' for name, n in
                     sorted(taken.items(), key=lambda item: -item[1]))
    print(f'  {column:<14}{total:6.1f}   {most}', flush=True)


def measure(library):
    print(library.name)
    server = backends.Server(library.server)
    try:
        command = library.command(server)
        for backend in backends.BACKENDS:
            show(backend, calls(command, backend))
        for name, other in library.others.items():
            show(name, calls([*other, *command[1:]]))
    finally:
        server.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--programs', type=pathlib.Path, default=BUILD / 'test' / 'libraries')
    parser.add_argument('libraries', nargs='*', metavar='LIBRARY')
    options = parser.parse_args()
    backends.support.programs = options.programs.resolve()
    for library in LIBRARIES:
        if not options.libraries or any(word in library.name for word in options.libraries):
            try:
                measure(library)
            except unittest.SkipTest as reason:
                print(f'  left out: {reason}')


if __name__ == '__main__':
    main()
