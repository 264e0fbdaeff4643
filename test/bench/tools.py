# SPDX-License-Identifier: MIT
"""How a benchmark starts its programs, and what it gives back."""

import dataclasses
import json
import pathlib
import shutil
import subprocess
import tempfile

PROGRAM_SECONDS = 300


class BenchmarkError(Exception):
    """A benchmark could not be run."""


@dataclasses.dataclass
class Goal:
    """A figure that is to be at most `limit`."""

    name: str
    figure: float
    limit: float

    @property
    def met(self):
        return self.figure <= self.limit


@dataclasses.dataclass
class Result:
    """A table for people, the same rows for programs, and what is judged."""

    title: str
    columns: list
    table: list
    rows: list
    goals: list


def _run(command):
    command = [str(word) for word in command]
    shown = " ".join(command)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              timeout=PROGRAM_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"{shown}: no end after {error.timeout} s") from error
    if done.returncode != 0:
        raise BenchmarkError(f"{shown}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


class Tools:
    """The programs of one build."""

    def __init__(self, build, quick):
        self.programs = pathlib.Path(build) / "test" / "bench"
        self.quick = quick

    def has(self, program):
        """Was it built?  What a program needs may be missing on this machine."""
        return (self.programs / f"bench_{program}").exists()

    def path(self, program):
        if not self.has(program):
            raise BenchmarkError(f"this build has no bench_{program}")
        return self.programs / f"bench_{program}"

    def rows(self, program, *arguments):
        """Run a program and return the objects that it prints, one a line."""
        output = _run([self.path(program), *arguments])
        return [json.loads(line) for line in output.splitlines()]

    def count_instructions(self, program, *arguments):
        """User-space instructions of a whole run, counted by callgrind."""
        if shutil.which("valgrind") is None:
            raise BenchmarkError("valgrind is needed to count instructions")
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "callgrind.out"
            _run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
                  self.path(program), *arguments])
            for line in out.read_text(encoding="utf-8").splitlines():
                if line.startswith("totals:"):
                    return int(line.split()[1])
        raise BenchmarkError("callgrind wrote no totals")
