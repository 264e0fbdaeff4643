# SPDX-License-Identifier: MIT
"""deadline: C on every backend and its twin give the same, and timeout(1)'s exit codes.

Run as support.py says.  The command is most often a shell with a script; what it
leaves running is looked for in /proc by the process id that it has printed.
"""
import os
import re
import resource
import signal
import subprocess
from pathlib import Path

import support
from reactor_support import (SECONDS, ProgramTests, for_each_kind, masked, read_line,
                             times)
from support import PATIENCE, eventually

DEAF = "trap '' TERM; echo deaf; while :; do sleep 0.02; done"
# Goes on when the process that has started it has been waited for.
ORPHAN = "(while kill -0 $$ 2>/dev/null; do sleep 0.01; done; echo late) & exit 3"


def is_running(pid):
    """Ended and not yet waited for is not running."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def lines_of(stream, text):
    """What a stream has said."""
    return re.findall(rf"(?m)^\d+\.\d{{3}} {stream}: (.*)$", text)


class DeadlineTests(ProgramTests):
    wrong = [[], ["--"], ["--timeout"], ["--timeout", "1"], ["--grace", "x", "true"],
             ["--nonsense", "true"],
             *(["--timeout", seconds, "true"] for seconds in SECONDS)]
    options = ["--timeout", "--grace"]
    shortest = ["echo", "hello"]

    def run_script(self, script, *options, **more):
        return self.run_program(*options, "sh", "-c", script, **more)

    def test_lines_with_their_streams(self):
        self.assert_gives(self.run_program("echo", "hello"),
                          ["TIME out: hello", "TIME end: exit code 0"])
        self.assert_gives(self.run_script("echo oops >&2; exit 3"),
                          ["TIME err: oops", "TIME end: exit code 3"], 3)
        self.assert_gives(self.run_script("echo; printf a; printf 'b\nc'"),
                          ["TIME out: ", "TIME out: ab", "TIME out: c",
                           "TIME end: exit code 0"])
        self.assert_gives(self.run_script("kill -9 $$"),
                          ["TIME end: killed by signal 9"], 137)
        self.assert_gives(self.run_program("true"), ["TIME end: exit code 0"])

    def test_options_of_the_command_are_its_own(self):
        for arguments in (["echo", "--help", "-t", "x"],
                          ["-t", "9", "--", "echo", "--help", "-t", "x"]):
            self.assert_gives(self.run_program(*arguments),
                              ["TIME out: --help -t x", "TIME end: exit code 0"])

    def test_what_is_written_after_the_exit_is_not_lost(self):
        self.assert_gives(self.run_script(ORPHAN),
                          ["TIME out: late", "TIME end: exit code 3"], 3)

    def test_a_lot_of_output_and_an_exit_at_once(self):
        ended = self.run_script("seq 200000; seq 300 >&2")
        self.assertEqual(lines_of("out", ended.stdout), list(map(str, range(1, 200001))))
        self.assertEqual(lines_of("err", ended.stdout), list(map(str, range(1, 301))))
        self.assertEqual(masked(ended.stdout[-30:]).splitlines()[-1],
                         "TIME end: exit code 0")

    def test_long_lines_are_cut(self):
        ended = self.run_script("printf '%040000d' 0; printf '\n%016384d\nend' 0")
        sizes = [len(line) for line in lines_of("out", ended.stdout)]
        self.assertEqual(sizes, [16384, 16384, 40000 - 2 * 16384, 16384, 0, 3])

    def test_the_deadline_asks(self):
        ended = self.run_script("echo started; sleep 60", "--timeout", "1")
        self.assert_gives(ended, ["TIME out: started", "TIME sig: SIGTERM",
                                  "TIME end: killed by signal 15"], 124)
        self.assertGreater(times(ended.stdout)[1], 0.999)

    def test_and_then_kills(self):
        ended = self.run_script(DEAF, "-t", "1", "-g", "1")  # for its death, too
        self.assert_gives(ended, ["TIME out: deaf", "TIME sig: SIGTERM",
                                  "TIME sig: SIGKILL", "TIME end: killed by signal 9"],
                          137)
        self.assertGreater(times(ended.stdout)[2], 1.999)

    def test_the_command_may_say_something_last(self):
        script = ("exec 2>/dev/null; trap 'echo bye; exit 5' TERM;"
                  "while :; do sleep 0.02; done")
        self.assert_gives(self.run_script(script, "-t", "1"),
                          ["TIME sig: SIGTERM", "TIME out: bye", "TIME end: exit code 5"],
                          124)

    def test_a_stopped_command_ends_too(self):
        self.assert_gives(self.run_script("kill -STOP $$", "-t", "0.2"),
                          ["TIME sig: SIGTERM", "TIME end: killed by signal 15"], 124)

    def test_what_the_command_has_started_ends_with_it(self):
        ended = self.run_script("sleep 60 & echo $!; wait", "-t", "1")
        self.assertEqual(ended.returncode, 124)
        pid = int(lines_of("out", ended.stdout)[0])
        self.assertTrue(eventually(lambda: not is_running(pid)))

    def test_what_has_left_the_session_is_not_waited_for_for_ever(self):
        ended = self.run_script("setsid sleep 60 & echo $!", "-t", "1", "-g", "0.1")
        pid = int(lines_of("out", ended.stdout)[0])
        os.kill(pid, signal.SIGKILL)
        self.assert_gives(ended, [f"TIME out: {pid}", "TIME sig: SIGTERM",
                                  "TIME sig: SIGKILL"])

    def test_exit_codes_are_those_of_timeout(self):
        for script, seconds in [("exit 0", "60"), ("exit 77", "60"),
                                ("kill -TERM $$", "60"), ("kill -SEGV $$", "60"),
                                ("kill -KILL $$", "60"),
                                ("sleep 60", "0.1"), (DEAF, "1")]:
            # What ends when it is asked may take its time for that on a busy machine.
            grace = "1" if script == DEAF else "30"
            with self.subTest(script=script):
                # With a shell around it: at the end timeout kills its own group.
                timeout = f'setsid -w timeout -k {grace} {seconds} sh -c "$0"; exit $?'
                theirs = subprocess.run(
                    ["sh", "-c", timeout, script], stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    timeout=PATIENCE).returncode
                ours = self.run_script(script, "-t", seconds, "-g", grace).returncode
                self.assertEqual(ours, theirs)

    def test_what_cannot_be_run(self):
        for command, status, why in (
                ("no such program", 127, "No such file or directory"),
                ("/", 126, "Permission denied")):
            ended = self.run_program(command)
            self.assert_fails(ended, status)
            self.assertIn(f"cannot run '{command}': {why}", ended.stderr)

    def test_signals_are_passed_on(self):
        script = "trap 'echo got it; exit 7' {}; echo ready; while :; do sleep 0.02; done"
        for signum in (signal.SIGINT, signal.SIGTERM):
            for script_, said, status in (
                    (script.format(signum.name[3:]), ["got it"], 7),
                    ("echo ready; exec sleep 60", [], 128 + signum)):
                with self.subTest(signal=signum.name, script=script_):
                    process = self.start("sh", "-c", script_)
                    ready = read_line(process)
                    self.assertEqual(masked(ready), "TIME out: ready\n")
                    process.send_signal(signum)
                    rest, errors = process.communicate(timeout=PATIENCE)
                    self.assertEqual((process.returncode, errors), (status, ""))
                    self.assertEqual(lines_of("sig", rest), [signum.name])
                    self.assertEqual(lines_of("out", rest), said)

    def test_the_command_gets_what_the_program_was_started_with(self):
        """uv_spawn() had set back what nohup ignores, and unblocked what was blocked."""
        def nohup():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

        def all_ignored():
            ignored = {*signal.valid_signals()} - {signal.SIGKILL, signal.SIGSTOP}
            if self.is_twin:  # Python's own
                ignored -= {signal.SIGPIPE, signal.SIGXFSZ}
            if support.INSTRUMENTED:  # the sanitizer's own
                ignored -= {signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV}
            for signum in ignored:
                signal.signal(signum, signal.SIG_IGN)

        def all_blocked():
            signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())

        def no_stdin():
            os.close(0)

        def one_more_descriptor():
            os.dup2(0, 117)

        def limits():
            os.umask(0o027)
            for limit, value in ((resource.RLIMIT_NOFILE, 50), (resource.RLIMIT_CORE, 0),
                                 (resource.RLIMIT_FSIZE, 1 << 30)):
                resource.setrlimit(limit, (value, value))

        for prepare in (lambda: None, nohup, all_ignored, all_blocked, no_stdin,
                        one_more_descriptor, limits):
            for command in (["grep", "-E", "Sig(Ign|Blk)|Umask", "/proc/self/status"],
                            ["ls", "/proc/self/fd"], ["cat", "/proc/self/limits"]):
                with self.subTest(prepare=prepare.__name__, command=command):
                    expected = subprocess.run(
                        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                        preexec_fn=prepare, close_fds=self.is_twin,  # as Python does
                        timeout=PATIENCE).stdout.splitlines()
                    ended = self.run_program(*command, preexec_fn=prepare,
                                             close_fds=self.is_twin)
                    self.assertEqual((ended.returncode, ended.stderr), (0, ""))
                    self.assertEqual(lines_of("out", ended.stdout), expected)

    def test_a_hang_up_under_nohup(self):
        ended = self.run_program("nohup", *self.kind.command("sh", "-c",
                                                             "kill -HUP $$; echo alive"))
        self.assertIn("alive", ended.stdout)
        self.assertEqual(ended.returncode, 0)

    def test_the_deadline_of_what_ignores_or_blocks_it(self):
        def ignored():
            for signum in signal.SIGTERM, signal.SIGINT, signal.SIGCHLD:
                signal.signal(signum, signal.SIG_IGN)

        def blocked():
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT,
                                                      signal.SIGCHLD})

        for prepare in ignored, blocked:
            ended = self.run_program("-t", "0.2", "-g", "1", "sleep", "60",
                                     preexec_fn=prepare)
            self.assert_gives(ended, ["TIME sig: SIGTERM", "TIME sig: SIGKILL",
                                      "TIME end: killed by signal 9"], 137)

    def test_a_reader_that_does_not_read(self):
        """The deadline holds, and what was written is whole lines but for the last."""
        reader, writer = os.pipe()
        with open(reader) as printed, open(writer, "w") as stdout:
            ended = self.run_program("-t", "0.3", "-g", "2", "yes", stdout=stdout)
            stdout.close()
            self.assertEqual((ended.returncode, ended.stderr), (124, ""))
            *lines, _ = masked(printed.read()).splitlines()
        self.assertEqual(set(lines), {"TIME out: y"})

    def test_a_reader_that_leaves(self):
        process = self.start("sh", "-c", "echo $$; exec yes")
        pid = int(lines_of("out", read_line(process))[0])
        process.stdout.close()
        self.assertEqual(process.wait(PATIENCE), 1)
        self.assertEqual(process.stderr.read(),
                         f"{self.kind.program}: cannot write to stdout: Broken pipe\n")
        self.assertFalse(is_running(pid))


for_each_kind(DeadlineTests, "deadline", globals())


if __name__ == "__main__":
    support.main()
