# SPDX-License-Identifier: MIT
"""Every program, started where something is missing that is always there: it does its work
or says in one line what it lacks, and never hangs, prints into a socket, or shows an
exception.

Run as support.py says.
"""
import os
import signal
import subprocess
import tempfile
import unittest

import support
from test_plain_errors import (LONG, SHORT, clients, compiled, every_program, name_of, run,
                               servers, with_arguments)


class Starts(unittest.TestCase):
    def each(self, before, programs=every_program, environment=(), stdout=subprocess.PIPE):
        """(program, what came of it) for each that ends by itself.

        `before` is what a shell does first; it then becomes the program.
        """
        for command in programs():
            if command in clients():
                continue
            words = with_arguments(command, SHORT)
            if command in servers() or name_of(command) == "monitor":
                words = [*command, "--port=x"]  # it does not end: as far as its first error
            with self.subTest(command=words, before=before):
                support.need_descriptors(self, name_of(command))
                yield name_of(command), subprocess.run(
                    ["sh", "-c", f'{before}; exec "$@"', "sh", *words], text=True,
                    errors="replace", stdout=stdout, stderr=subprocess.PIPE,
                    timeout=support.PATIENCE,
                    env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **dict(environment)})

    def assert_usual(self, name, ended):
        """The same as ever: its work, or its one line."""
        usual = 2 if "--port" in ended.stderr else 0
        self.assertEqual(ended.returncode, usual, ended.stderr)
        self.assertEqual(ended.stderr.count("\n"), 1 if usual else 0, ended.stderr)

    def test_without_stdin(self):
        for name, ended in self.each("exec <&-", compiled):
            self.assert_usual(name, ended)

    def test_without_stderr(self):
        for name, ended in self.each("exec 2>&-", compiled):
            self.assertIn(ended.returncode, (0, 2))
            self.assertEqual(ended.stderr, "")

    def test_without_any(self):
        """A socket that became number 1 would be printed into."""
        for name, ended in self.each("exec <&- >&- 2>&-"):
            self.assertIn(ended.returncode, (1, 2))
            self.assertEqual((ended.stdout, ended.stderr), ("", ""))

    def test_where_nobody_reads(self):
        """SIGPIPE or its error, whichever it is started with; never a hang or a traceback."""
        for before in "trap - PIPE", "trap '' PIPE":
            reader, writer = os.pipe()
            os.close(reader)
            with open(writer, "w") as broken:
                for name, ended in self.each(before, stdout=broken):
                    self.assertIn(ended.returncode, (1, 2, -signal.SIGPIPE))
                    self.assertNotIn("Traceback", ended.stderr)
                    self.assertLessEqual(ended.stderr.count("\n"), 1)

    def test_without_home_or_terminal_in_other_languages(self):
        """Whose i has no dot, and whose numbers have a comma."""
        unset = "unset HOME LANG TERM USER SHELL PWD"
        for language in "C", "tr_TR.UTF-8":
            for name, ended in self.each(unset, compiled, environment={"LC_ALL": language}):
                self.assert_usual(name, ended)

    def test_without_dev_null(self):
        script = ("mount -t tmpfs none /dev 2>/dev/null || exit 99; exec <&- >&-; "
                  'exec "$@" --version')
        with tempfile.TemporaryFile() as errors:
            for command in every_program():
                with self.subTest(command=command):
                    errors.seek(0)
                    errors.truncate()
                    ended = subprocess.run(
                        ["unshare", "-m", "sh", "-c", script, "sh", *command],
                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
                        timeout=support.PATIENCE,
                        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
                    errors.seek(0)
                    said = errors.read().decode()
                    if ended.returncode == 99 or "unshare" in said:
                        self.skipTest("mounting needs a right")
                    # Of a directory, which is there instead, Python says that it is one.
                    self.assertRegex(
                        said, r"\A[^\n]+: (Bad file descriptor|Is a directory)\n\Z")
                    self.assertEqual(ended.returncode, 1)

    def test_without_ipv6(self):
        """A network of its own without it; 127.0.0.1 is there."""
        script = ("ip link set lo up 2>/dev/null || exit 99; "
                  "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 2>/dev/null || exit 99; "
                  'exec "$@" --host ::1 --port 0')
        for command in servers():
            with self.subTest(command=command):
                ended = run(["unshare", "-n", "sh", "-c", script, "sh", *command])
                if ended.returncode == 99 or "unshare" in ended.stderr:
                    self.skipTest("there is no network of one's own to be had")
                self.assertEqual(ended.returncode, 1)
                self.assertRegex(ended.stderr, r"\A[^\n]+: cannot listen on ::1 [^\n]+\n\Z")

    def test_interrupted_while_it_starts(self):
        """Ctrl-C at any moment: no word of an exception, and it is gone."""
        for command in compiled():
            if command in clients():
                continue
            for moment in range(4):
                with self.subTest(command=command), subprocess.Popen(
                        with_arguments(command, LONG), text=True, stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                        start_new_session=True) as process:
                    try:
                        for _ in range(moment * 20_000):  # a little later each time
                            pass
                        os.killpg(process.pid, signal.SIGINT)
                        errors = process.communicate(timeout=support.PATIENCE)[1]
                    finally:
                        process.kill()
                    self.assertLessEqual(errors.count("\n"), 1)
                    self.assertIn(process.returncode,
                                  (0, 1, -signal.SIGINT, 128 + signal.SIGINT))


if __name__ == "__main__":
    support.main()
