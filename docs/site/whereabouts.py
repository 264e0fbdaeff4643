# SPDX-License-Identifier: MIT
"""Run a Python program and let strace see where it is.

    whereabouts.py PROGRAM [ARGUMENT...]

Before the program calls anything that is written in C, the lines that it is at are written
to descriptor -1: the kernel refuses, and strace's log has them just before the system
call.  A line is FILE:LINE:FUNCTION, the innermost first; only files of docs/twins count.
"""
import contextlib
import os
import runpy
import sys

NOWHERE = -1
TWINS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "twins", "")


class Teller:
    def __init__(self):
        self.told = ""

    @staticmethod
    def stack(frame):
        while frame is not None:
            file = frame.f_code.co_filename
            if file.startswith(TWINS):
                name = file.removeprefix(TWINS)
                yield f"{name}:{frame.f_lineno}:{frame.f_code.co_name}"
            frame = frame.f_back

    def tell(self, frame, event, argument):
        """What sys.setprofile() calls; the same place need not be told twice.  What is
        written in C may call a function of the program's before its system call.
        """
        if event not in ("c_call", "return"):
            return
        where = " ".join(self.stack(frame if event == "c_call" else frame.f_back))
        if where != self.told:
            self.told = where
            with contextlib.suppress(OSError):
                os.write(NOWHERE, where.encode())


def main():
    del sys.argv[0]
    program = os.path.abspath(sys.argv[0])
    sys.path[0] = os.path.dirname(program)
    sys.setprofile(Teller().tell)
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
