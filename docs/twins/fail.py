# SPDX-License-Identifier: MIT
"""How the programs here say what is wrong: one plain line on stderr.

What goes wrong before a program does its work ends it: exit code 2 for a wrong command
line, 1 for anything else.  The C side of this file is demo/kit/fail.c.
"""
import contextlib
import os
import sys

PROGRAM = os.path.basename(sys.argv[0])
EXIT_FAILURE = 1
EXIT_USAGE = 2


def print_line(message):
    """Print "program: message" on stderr, with one write()."""
    with contextlib.suppress(OSError):
        os.write(2, os.fsencode(f"{PROGRAM}: {message}\n"))


def fail(status, message):
    """Print "program: message" on stderr and exit."""
    print_line(message)
    sys.exit(status)


def note(verbose, message):
    """With --verbose, print "program: message" on stderr."""
    if verbose:
        print_line(message)


def print_out(text):
    """Print on stdout, and fail if it can't take all of it."""
    try:
        with open(1, "w", closefd=False) as stdout:
            stdout.write(text)
    except OSError as error:
        fail(EXIT_FAILURE, f"cannot write to stdout: {error.strerror}")
