# SPDX-License-Identifier: MIT
"""strace before the programs of a scene."""
import re
import sys
import time
from pathlib import Path

from scenes import PATIENCE
from strace import CALLS, read_log

WHOLE = ("-s", "65536")  # of what is sent nothing is left out


class Tracer:
    """Puts strace before the commands of a scene; a log for each.  `options` are more of
    strace's for the programs themselves.
    """

    def __init__(self, directory, more_calls, options=()):
        self.directory = Path(directory)
        self.trace = ",".join([*CALLS, *more_calls])
        self.options = options
        self.logs, self.peers = [], []
        self.shown = {}  # by log: from when to when

    def begin(self):
        """What the newest program has done till now is not of interest."""
        self.shown[self.logs[-1]][0] = time.time()

    def end(self):
        """Nor what it does from now on."""
        self.shown[self.logs[-1]][1] = time.time()

    def command(self, command):
        log = self.directory / f"{len(self.logs)}.log"
        self.logs.append(log)
        self.shown[log] = [0, float("inf")]
        return self.strace(log, self.options, command)

    def peer_command(self, command):
        """For a program at the other end, whose calls are told apart."""
        self.peers.append(self.directory / f"peer{len(self.peers)}.log")
        return self.strace(self.peers[-1], WHOLE, command)

    def strace(self, log, options, command):
        return ["strace", "-D", "-f", "--seccomp-bpf", "-ttt", "-T", "-s", "200", *options,
                "-e", f"trace={self.trace}", "-o", str(log), *command]

    def read(self):
        """The calls of every log, once strace has written its end; the peers' come last."""
        deadline = time.monotonic() + PATIENCE
        for log in [*self.logs, *self.peers]:
            while not log.exists() or not self.is_whole(log.read_text()):
                if time.monotonic() > deadline:
                    sys.exit(f"{log}: strace has not ended")
                time.sleep(0.02)
            yield read_log(log.read_text().splitlines())

    @staticmethod
    def is_whole(text):
        begun = set(re.findall(r"^(\d+) ", text, re.M))
        ended = set(re.findall(r"^(\d+) .*\+\+\+ (?:exited|killed).*$", text, re.M))
        return bool(begun) and begun == ended
