# SPDX-License-Identifier: MIT
"""ticker and workers: C on every backend and the twin give the same.

Run as support.py says.  Times in a transcript become TIME; what is asked of them is
that none is early.
"""
import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import tempfile
from pathlib import Path

import support
from reactor_support import (NUMBERS, SECONDS, ProgramTests, for_each_kind, masked,
                             read_line, times)
from support import PATIENCE, eventually


def catches(pid, signum):
    caught = re.search(r"SigCgt:\s+([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text())
    return int(caught.group(1), 16) >> (signum - 1) & 1 == 1


def has_worked(pid):
    """A thread other than the first has computed for a while."""
    ticks = 0
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        if stat.parent.name != str(pid):
            with contextlib.suppress(OSError):  # a thread that has ended meanwhile
                ticks = max(ticks, int(stat.read_text().rpartition(")")[2].split()[11]))
    return ticks / os.sysconf("SC_CLK_TCK") > 0.1


class TickerTests(ProgramTests):
    wrong = [["word"], ["--interval"], ["--count"], ["--for"],
             *(["--count", number] for number in NUMBERS),
             *(["--interval", seconds] for seconds in SECONDS),
             *(["-f", seconds] for seconds in SECONDS)]
    options = ["--interval", "--count", "--for"]
    shortest = ["--interval", "0.01", "--count", "1"]

    def test_the_last_tick_cancels_its_own_timer(self):
        ended = self.run_program("--interval", "0.1", "--count", "3")
        self.assert_gives(ended, ["TIME  tick 1", "TIME  tick 2", "TIME  tick 3",
                                  "TIME  done"])
        for n, time in enumerate(times(ended.stdout)[:3], 1):
            self.assertGreater(time, 0.1 * n - 0.001)

    def test_the_deadline_cancels_the_ticks(self):
        ended = self.run_program("-i", "1000", "-f", "0.2")
        self.assert_gives(ended, ["TIME  time is up"])
        self.assertGreater(times(ended.stdout)[0], 0.199)

    def test_the_last_tick_cancels_a_deadline_that_is_due(self):
        ended = self.run_program("-i", "0.1", "-c", "1", "-f", "0.1")
        self.assert_gives(ended, ["TIME  tick 1", "TIME  done"])

    def test_signals(self):
        for signum in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=signum.name):
                process = self.start("-i", "0.01")
                self.assertEqual(masked(read_line(process)), "TIME  tick 1\n")
                process.send_signal(signum)
                rest, errors = process.communicate(timeout=PATIENCE)
                self.assertEqual(masked(rest).splitlines()[-1], f"TIME  {signum.name}")
                self.assertEqual((process.returncode, errors), (0, ""))

    def test_what_was_missed_is_skipped_and_the_rest_is_on_time(self):
        process = self.start("-i", "0.1", "-c", "5")
        first = read_line(process)
        process.send_signal(signal.SIGSTOP)
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(0.35)  # not to synchronise: time that the program misses
        process.send_signal(signal.SIGCONT)
        rest = process.communicate(timeout=PATIENCE)[0]
        self.assertEqual(masked(first + rest), "".join(
            f"TIME  tick {n}\n" for n in range(1, 6)) + "TIME  done\n")
        ticks = times(first + rest)[:5]
        self.assertGreater(ticks[1], 0.449)
        for earlier, later in zip(ticks, ticks[1:]):  # never two in the time of one
            turn = int((earlier - 0.0006) / 0.1) + 1
            self.assertGreater(later, 0.1 * turn - 0.0006)

    def test_a_reader_that_leaves(self):
        process = self.start("-i", "0.01")
        read_line(process)
        process.stdout.close()
        self.assertEqual(process.wait(PATIENCE), -signal.SIGPIPE)


def primes_in(first, last):
    return sum(all(n % divisor for divisor in range(2, int(n ** 0.5) + 1))
               for n in range(max(first, 2), last + 1))


class WorkersTests(ProgramTests):
    wrong = [["word"], ["--jobs"], ["--upto"], ["--threads"],
             *(["--jobs", number] for number in [*NUMBERS, "1001"]),
             *(["--upto", number] for number in [*NUMBERS, "999", "10000000"]),
             *(["-t", number] for number in [*NUMBERS, "65"])]
    options = ["--jobs", "--upto", "--threads"]
    shortest = ["--jobs", "1", "--upto", "1000"]

    @property
    def much(self):
        """Work for a second or two."""
        return "200000" if self.is_twin else "5000000"

    def results(self, upto, jobs):
        ends = [upto * i // jobs for i in range(jobs + 1)]
        return [f"job {i + 1}: {primes_in(ends[i] + 1, ends[i + 1])} primes "
                f"from {ends[i] + 1} to {ends[i + 1]}" for i in range(jobs)]

    def test_results_come_as_jobs_end(self):
        for jobs, upto in ((8, 20000), (7, 1000), (1, 3000), (300, 1001)):
            with self.subTest(jobs=jobs, upto=upto):
                ended = self.run_program("--jobs", str(jobs), "--upto", str(upto))
                *results, total = ended.stdout.splitlines()
                self.assertEqual(sorted(results), sorted(self.results(upto, jobs)))
                self.assertEqual(total, f"{primes_in(1, upto)} primes up to {upto}")
                self.assertEqual((ended.returncode, ended.stderr), (0, ""))

    def test_one_thread_takes_jobs_in_their_order(self):
        ended = self.run_program("-j", "50", "-u", "5000", "-t", "1")
        self.assert_gives(ended, [*self.results(5000, 50), "669 primes up to 5000"])

    def test_a_signal_cancels_what_has_not_started(self):
        for signum in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=signum.name):
                upto = "2000000" if self.is_twin else "9999999"
                process = self.start("-j", "50", "-u", upto, "-t", "1")
                first = read_line(process)
                process.send_signal(signum)
                rest, errors = process.communicate(timeout=PATIENCE)
                *results, end = (first + rest).splitlines()
                counted = sum("primes from" in line for line in results)
                self.assertLess(counted, 50)
                self.assertEqual(results[counted:], [
                    f"job {n}: cancelled" for n in range(counted + 1, 51)])
                self.assertEqual(end, f"stopped: {counted} of 50 jobs counted")
                self.assertEqual((process.returncode, errors), (0, ""))

    def test_a_second_signal_ends_it(self):
        process = self.start("-j", "1", "-u", "9999999")
        self.assertTrue(eventually(lambda: has_worked(process.pid)))
        process.send_signal(signal.SIGTERM)
        self.assertTrue(eventually(lambda: not catches(process.pid, signal.SIGTERM)))
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(PATIENCE), -signal.SIGINT)

    def on_terminal(self, **env):
        """What stdout gets, and what a terminal that is stderr gets."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        with tempfile.TemporaryFile("w+") as stdout:
            process = subprocess.Popen(
                self.kind.command("-j", "4", "-u", self.much), stdin=subprocess.DEVNULL,
                stdout=stdout, stderr=slave, env=self.environment(env))
            os.close(slave)
            self.addCleanup(process.kill)
            drawn = b""
            while select.select([master], [], [], PATIENCE)[0]:
                try:
                    drawn += os.read(master, 65536)
                except OSError:  # EIO: nobody has it open any more
                    break
            self.assertEqual(process.wait(PATIENCE), 0)
            stdout.seek(0)
            return stdout.read(), drawn.decode()

    def test_progress_on_a_terminal(self):
        printed, drawn = self.on_terminal(NO_COLOR="")
        self.assertNotIn("\033", printed)
        self.assertRegex(drawn, "\033\\[1;32m *[0-9]+ %\033\\[0m  [0-4] of 4 jobs")
        percents = list(map(int, re.findall(r"(\d+) %", drawn)))
        self.assertEqual(percents, sorted(percents))
        self.assertGreater(percents[-1], 0)
        self.assertLessEqual(percents[-1], 100)
        self.assertTrue(drawn.endswith("\r\033[K"))  # nothing is left on the line

    def test_no_colour_when_it_is_not_wanted(self):
        drawn = self.on_terminal(NO_COLOR="1")[1]
        self.assertRegex(drawn, r"[0-9]+ %  [0-4] of 4 jobs")
        self.assertNotIn("\033[", drawn.replace("\033[K", ""))


for_each_kind(TickerTests, "ticker", globals())
for_each_kind(WorkersTests, "workers", globals())


if __name__ == "__main__":
    support.main()
