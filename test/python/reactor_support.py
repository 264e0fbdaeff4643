# SPDX-License-Identifier: MIT
"""What the tests of the reactor's programs share: C on every backend and the twin, and
what is asked of each of them.
"""
import os
import re
import subprocess
import unittest

from support import BACKENDS, PATIENCE, Kind

COMMON = [["--nonsense"], ["-x"], ["--help=yes"]]
NUMBERS = ["0", "x", "", "-1", "1.5", "1 ", "99999999999999999999"]
SECONDS = ["0", "x", "", "-1", "nan", "inf", "1.2.3", ".", "1e3", "1000001"]


def for_each_kind(base, program, namespace):
    """A test class for C on every backend and one for the twin."""
    kinds = [Kind(f"{program}_{backend}", program, backend) for backend in BACKENDS]
    kinds.append(Kind(f"{program}_twin", f"{program}.py"))
    for kind in kinds:
        name = f"{base.__name__}_{kind.name}"
        namespace[name] = type(name, (base, unittest.TestCase), {
            "kind": kind, "turn": kind.turn, "__module__": base.__module__})


def masked(text):
    return re.sub(r"(?m)^\d+\.\d{3} ", "TIME ", text)


def times(text):
    return [float(time) for time in re.findall(r"(?m)^(\d+\.\d{3}) ", text)]


def read_line(process):
    """A line and no more: what a file object has read ahead, communicate() forgets."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(process.stdout.fileno(), 1)
        if not byte:
            break
        line += byte
    return line.decode()


class ProgramTests:
    kind = None
    wrong = []
    options = []
    shortest = []  # arguments with which it soon ends

    @property
    def is_twin(self):
        return self.kind.program.endswith(".py")

    def environment(self, changes):
        return {**self.kind.environment(), **changes}

    def run_program(self, *arguments, env=(), **streams):
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
        return subprocess.run(self.kind.command(*arguments), text=True, timeout=PATIENCE,
                              env=self.environment(dict(env)), stdin=subprocess.DEVNULL,
                              **streams)

    def start(self, *arguments, **streams):
        """A running program, ended with the test."""
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
        process = subprocess.Popen(self.kind.command(*arguments), text=True,
                                   env=self.environment({}), stdin=subprocess.DEVNULL,
                                   **streams)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.communicate()

    def assert_gives(self, ended, lines, status=0):
        self.assertEqual(ended.stderr, "")
        self.assertEqual(masked(ended.stdout).splitlines(), lines)
        self.assertEqual(ended.returncode, status)

    def assert_fails(self, ended, status):
        self.assertEqual(ended.returncode, status)
        self.assertRegex(ended.stderr, rf"\A{self.kind.program}: [^\n]+\n\Z")

    def test_wrong_options(self):
        for arguments in COMMON + self.wrong:
            with self.subTest(arguments=arguments):
                ended = self.run_program(*arguments)
                self.assert_fails(ended, 2)
                self.assertEqual(ended.stdout, "")

    def test_help_names_every_option(self):
        for option in ("--help", "-h"):
            ended = self.run_program(option)
            self.assertEqual((ended.returncode, ended.stderr), (0, ""))
            self.assertTrue(ended.stdout.startswith(f"Usage: {self.kind.program} "))
            for name in ["--help", "--version", *self.options]:
                self.assertIn(f", {name} ", ended.stdout)

    def test_version(self):
        for option in ("--version", "-V"):
            ended = self.run_program(option)
            self.assertEqual((ended.returncode, ended.stderr), (0, ""))
            self.assertRegex(ended.stdout,
                             rf"\A{self.kind.program}, (selkie|Python) \d+\.\d+\.\d+\n\Z")

    def test_a_full_disk(self):
        for arguments in (["--help"], ["--version"], self.shortest):
            with self.subTest(arguments=arguments), open("/dev/full", "w") as full:
                ended = self.run_program(*arguments, stdout=full)
                self.assert_fails(ended, 1)
                self.assertIn("No space left on device", ended.stderr)

    def test_closed_stdout(self):
        for arguments in (["--help"], ["--version"], self.shortest):
            with self.subTest(arguments=arguments):
                ended = self.run_program(*arguments, stdout=None,
                                         preexec_fn=lambda: os.close(1))
                self.assert_fails(ended, 1)
                self.assertIn("Bad file descriptor", ended.stderr)
