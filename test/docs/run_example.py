#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An example of the documentation prints what the documentation says: PROGRAM EXPECTED.

With SELKIE_DEBUG in the environment what it says on stderr counts, too.  Milliseconds may
differ.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys


def comparable(text):
    return re.sub(r'\d+\.\d+ ms', 'N ms', text)


def main(program, expected):
    both = 'SELKIE_DEBUG' in os.environ
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # a careless parent leaves its own
    command = [sys.executable, program] if program.endswith('.py') else [program]
    ended = subprocess.run(
        command, input='hello\n', stdout=subprocess.PIPE, text=True, timeout=50,
        stderr=subprocess.STDOUT if both else None)
    wanted = pathlib.Path(expected).read_text()
    if ended.returncode != 0 or comparable(ended.stdout) != comparable(wanted):
        sys.exit(f'{program}: {ended.returncode}\n{ended.stdout}instead of\n{wanted}')


main(*sys.argv[1:])
