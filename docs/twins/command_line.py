# SPDX-License-Identifier: MIT
"""The command line of the programs here: a table of options, read once before anything
else happens.

--help and --version are in every table by themselves.  What is wrong is one plain
line on stderr and exit code 2.  The C side of this file is demo/kit/command_line.c.
"""
import fcntl
import getopt
import os
import platform
import re
import signal
import sys
from types import SimpleNamespace

from fail import EXIT_USAGE, PROGRAM, fail, print_out

USAGE_END = """\
  -h, --help             print this help and exit
  -V, --version          print the version and exit
"""


class Option:
    """`default` is its value when it is not given; a flag has no argument."""

    def __init__(self, letter, name, argument, text, default=None, read=None):
        self.letter, self.name, self.argument = letter, name, argument
        self.text, self.default, self.read = text, default, read


def number(lowest, highest):
    def read(name, text):
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else -1
        if not lowest <= value <= highest:
            fail(EXIT_USAGE,
                 f"{name} must be a number from {lowest} to {highest}, not '{text}'")
        return value
    return read


def word(name, text):
    return text


def seconds(name, text):
    try:
        value = float(text) if re.fullmatch("[0-9.]+", text) else 0
    except ValueError:
        value = 0
    if not 0 < value <= 1e6:
        fail(EXIT_USAGE, f"{name} must be a positive number of seconds up to 1000000, not '{text}'")
    return value


def hold_standard_descriptors():
    """Keep 0, 1 and 2 from becoming sockets when they were closed at the start.

    Opened the wrong way round, a stand-in fails as the closed one would; so does a
    directory, where there is no /dev/null.
    """
    for fd in range(3):
        try:
            fcntl.fcntl(fd, fcntl.F_GETFD)
        except OSError:
            try:
                os.open(os.devnull, os.O_WRONLY if fd == 0 else os.O_RDONLY)
            except FileNotFoundError:
                os.open("/", os.O_RDONLY)


def end_at_interrupt():
    """Ctrl-C ends a program that has no handler for it as it ends one in C: without an
    exception.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def print_help(purpose, options):
    lines = []
    for option in options:
        names = f"-{option.letter}, --{option.name} {option.argument or ''}"
        lines.append(f"  {names:<22} {option.text}\n")
    print_out(f"Usage: {PROGRAM} [OPTION]...\n{purpose}\n\n{''.join(lines)}{USAGE_END}")
    sys.exit()


def print_version():
    print_out(f"{PROGRAM}, Python {platform.python_version()}\n")
    sys.exit()


def read_command_line(purpose, options):
    """The options' values by name; does not return from --help and --version."""
    letters = "".join(o.letter + ":" * bool(o.argument) for o in options) + "hV"
    names = [o.name + "=" * bool(o.argument) for o in options] + ["help", "version"]
    by_name = {f"--{o.name}": o for o in options} | {f"-{o.letter}": o for o in options}
    values = SimpleNamespace(**{o.name: o.default for o in options})

    hold_standard_descriptors()
    end_at_interrupt()
    try:
        given, rest = getopt.gnu_getopt(sys.argv[1:], letters, names)
    except getopt.GetoptError as error:
        fail(EXIT_USAGE, error.msg)
    for name, value in given:
        if name in ("-h", "--help"):
            print_help(purpose, options)
        if name in ("-V", "--version"):
            print_version()
        option = by_name[name]
        read = option.read(f"--{option.name}", value) if option.argument else True
        setattr(values, option.name, read)
    if rest:
        fail(EXIT_USAGE, f"unexpected argument '{rest[0]}'")
    return values
