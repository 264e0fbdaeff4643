# SPDX-License-Identifier: MIT
"""Every program's errors: one plain line, no other word, and an exit status that is not 0.

That is every compiled program and every Python twin, found by looking, and the verbs of
./run.  A wrong command line is exit code 2; a taken port, a missing right, a host that is
not known, a stdout or a file that can't be written are not the command line's fault and
are 1.  Ctrl-C is no error, and nothing is said of it.

Run as support.py says.
"""
import functools
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import unittest

import support

TOP = support.TWINS.parent.parent
RUN = TOP / "run"
PORT = 80  # below net.ipv4.ip_unprivileged_port_start
FEW = range(3, 13)  # descriptors, with the three that a program starts with
UNPRIVILEGED = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
LISTENS = "the port; 0 picks a free one"  # what a server's --help says
CONNECTS = "the server's port (1234)"  # and a client's
MONITOR = ["--port", "0", "--echo-port", "0"]
SHORT = {  # arguments with which a program has done its work soon
    "deadline": ["echo", "hello"], "how_many": ["-m", "20", "-w", "3"],
    "monitor": MONITOR, "pool": ["-t", "2", "-s", "0.01"], "three_tasks": ["-u", "0.002"],
    "ticker": ["-i", "0.01", "-c", "2"], "workers": ["-u", "2000"],
}
LONG = {  # and those with which it has not
    "deadline": ["sh", "-c", "echo begun; exec sleep 20"], "monitor": MONITOR,
    "pool": ["-s", "1"], "three_tasks": ["-u", "0.1"], "ticker": ["-i", "0.01"],
}


def compiled():
    """All but echo, which is to be short and takes no options."""
    for path in sorted(support.programs.iterdir()):
        if path.is_file() and path.stat().st_mode & stat.S_IXUSR and path.name != "echo":
            yield [str(path)]


def twins():
    for path in sorted(support.TWINS.glob("*.py")):
        if "__main__" in path.read_text():
            yield [sys.executable, str(path)]


def every_program():
    """Under an instrument, all that it watches."""
    return [*compiled(), *([] if support.INSTRUMENTED else twins())]


def name_of(command):
    return os.path.basename(command[-1])


def run(command, *, environment=(), stdout=subprocess.PIPE, **options):
    return subprocess.run(
        command, text=True, errors="replace", stdin=subprocess.DEVNULL, stdout=stdout,
        stderr=subprocess.PIPE, timeout=support.PATIENCE,
        env={**os.environ, "LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "1",
             **dict(environment)}, **options)


@functools.cache  # starting all of them takes its time
def help_of(*command):
    return run([*command, "--help"]).stdout


def servers():
    return [command for command in every_program() if LISTENS in help_of(*command)]


def clients():
    return [command for command in every_program() if CONNECTS in help_of(*command)]


def with_arguments(command, arguments):
    """Of a program that needs no server; a server has a port that the kernel picks."""
    given = arguments.get(name_of(command).removesuffix(".py"), [])
    return [*command, *given, *(["--port", "0"] if command in servers() else [])]


def without_rights():
    """A command that takes root's capabilities away, or why there is none."""
    if os.geteuid() != 0:
        return [], None
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    try:
        ended = run([*command, "true"])
    except OSError:
        return [], "there is no setpriv"
    return command, f"setpriv: {ended.stderr}" if ended.returncode else None


class PlainErrors(unittest.TestCase):
    def assert_one_line(self, ended, status, name, *words):
        self.assertEqual((ended.returncode, ended.stdout or ""), (status, ""), ended.stderr)
        self.assertRegex(ended.stderr, rf"\A{re.escape(name)}: [^\n]+\n\Z")
        for word in words:
            self.assertIn(word, ended.stderr)

    def test_programs_are_found(self):
        names = {name_of(command) for command in [*compiled(), *twins()]}
        self.assertLessEqual({"echo_server", "select_loop", "echo_server.py", "load"}, names)
        listen = {name_of(command) for command in servers()}
        self.assertLessEqual({"echo_server", "chat_server", "one_client_server"}, listen)
        self.assertNotIn("load", listen)

    def test_wrong_options(self):
        for command in every_program():
            for words in (["--nonsense"], ["-\u00e9"], ["--help=yes"]):
                with self.subTest(command=command, words=words):
                    self.assert_one_line(run([*command, *words]), 2, name_of(command))

    def test_a_stdout_that_is_full_or_closed(self):
        for command in every_program():
            with self.subTest(command=command), open("/dev/full", "w") as full:
                ended = run([*command, "--help"], stdout=full)
                self.assert_one_line(ended, 1, name_of(command), "No space left on device")
                closed = ["sh", "-c", 'exec "$@" >&-', "sh", *command, "--version"]
                self.assert_one_line(run(closed), 1, name_of(command), "Bad file descriptor")

    def test_a_port_out_of_range(self):
        for command in every_program():
            if "--port" not in help_of(*command):
                continue
            for port in ("65536", "-1", "4294967297", "0x50", ""):
                with self.subTest(command=command, port=port):
                    ended = run([*command, f"--port={port}"])
                    self.assert_one_line(ended, 2, name_of(command), "--port")

    def test_a_host_that_does_not_resolve(self):
        for command in every_program():
            if "--host" not in help_of(*command):
                continue
            with self.subTest(command=command):
                ended = run([*command, "--host", "no such host"])
                self.assert_one_line(ended, 1, name_of(command), "not known")

    def test_output_that_cannot_be_written(self):
        for command in every_program():
            if command in clients():
                continue
            name, command = name_of(command), with_arguments(command, SHORT)
            with self.subTest(command=command), open("/dev/full", "w") as full:
                support.need_descriptors(self, name)
                self.assert_one_line(run(command, stdout=full), 1, name,
                                     "stdout: No space left on device")
                closed = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
                self.assert_one_line(run(closed), 1, name, "stdout: Bad file descriptor")

    def test_interrupted(self):
        """Ctrl-C, which all the processes of a terminal get: no word of an exception."""
        for command in every_program():
            if command in clients():
                continue
            with self.subTest(command=command):
                support.need_descriptors(self, name_of(command))
                process = self.enterContext(subprocess.Popen(
                    with_arguments(command, LONG), text=True, stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    start_new_session=True,
                    env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}))
                try:
                    process.stdout.readline()
                    os.killpg(process.pid, signal.SIGINT)
                    errors = process.communicate(timeout=support.PATIENCE)[1]
                finally:
                    process.kill()
                # A pool has lost its workers, and that is an error.
                self.assertRegex(errors, rf"\A({re.escape(name_of(command))}: cannot hand in "
                                         r"a task: No child processes\n)?\Z")
                self.assertIn(process.returncode, (1,) if errors else
                              (0, -signal.SIGINT, 128 + signal.SIGINT))

    def test_an_interrupted_client(self):
        for command in clients():
            with self.subTest(command=command), \
                    socket.create_server(("127.0.0.1", 0)) as listener:
                support.need_descriptors(self, name_of(command))
                listener.settimeout(support.PATIENCE)
                port = str(listener.getsockname()[1])
                with subprocess.Popen(
                        [*command, "--port", port], text=True, stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                    try:
                        with listener.accept()[0]:
                            process.send_signal(signal.SIGINT)
                            errors = process.communicate(timeout=support.PATIENCE)[1]
                    finally:
                        process.kill()
                self.assertIn(process.returncode, (0, 1, -signal.SIGINT))
                self.assertEqual(errors, "")

    def test_ipv6(self):
        if not support.has_ipv6():
            self.skipTest("this machine has no ::1")
        for command in servers():
            with self.subTest(command=command), subprocess.Popen(
                    [*command, "--host", "::1", "--port", "0"], text=True,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                try:
                    line = process.stdout.readline()
                    port = re.fullmatch(r"listening on \[::1\]:(\d+)\n", line)[1]
                    socket.create_connection(("::1", int(port)), support.PATIENCE).close()
                finally:
                    process.terminate()
                    errors = process.communicate(timeout=support.PATIENCE)[1]
                self.assertEqual(errors, "")

    def test_a_taken_port(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            for command in servers():
                with self.subTest(command=command):
                    self.assert_one_line(run([*command, "--port", port]), 1,
                                         name_of(command), "Address already in use")

    def test_a_port_that_needs_a_right(self):
        command, reason = without_rights()
        with open(UNPRIVILEGED) as file:
            if int(file.read()) <= PORT:
                reason = f"here anybody may listen on port {PORT}"
        if reason:
            self.skipTest(reason)
        for server in servers():
            with self.subTest(command=server):
                self.assert_one_line(run([*command, *server, "--port", str(PORT)]), 1,
                                     name_of(server), "Permission denied")

    def test_too_few_descriptors(self):
        # A look for leaks at the end would lack descriptors, too.
        options = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        for command in compiled():
            # Of between_processes each of its processes has its say.
            if command in clients() or name_of(command) == "between_processes":
                continue
            for count in FEW:
                with self.subTest(command=command, count=count):
                    few = ["sh", "-c", f'ulimit -n {count}; exec "$@"', "sh"]
                    self.assert_done_or_one_line(few + with_arguments(command, SHORT),
                                                 {"ASAN_OPTIONS": options})

    def assert_done_or_one_line(self, command, environment):
        """A server is done when it listens; one that blocks may find out only then."""
        with subprocess.Popen(
                command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, env={**os.environ, **environment}) as process:
            try:
                listens = process.stdout.readline().startswith("listening")
                if listens:
                    process.terminate()
                errors = process.communicate(timeout=support.PATIENCE)[1]
            finally:
                process.kill()
        if process.returncode == 0:
            self.assertEqual(errors, "")
        elif listens and process.returncode == -signal.SIGTERM:
            self.assertRegex(errors, r"\A([^\n]+\n)?\Z")
        else:
            self.assertGreater(process.returncode, 0, errors)
            self.assertRegex(errors, r"\A[^\n]+\n\Z")

    def test_a_backend_that_is_none(self):
        """Which variable is wrong, not that some argument is invalid."""
        for command in compiled():
            for name in ("nonsense", "", "UV", "epoll ", "kqueue"):
                with self.subTest(command=command, name=name):
                    ended = run([*command, *SHORT.get(name_of(command), [])],
                                environment={"SELKIE_BACKEND": name})
                    self.assert_one_line(ended, 1, name_of(command),
                                         f"SELKIE_BACKEND={name} is not one of ",
                                         "epoll, poll, select")
            # What is asked for first is answered first.
            self.assertEqual(run([*command, "--help"], environment={
                "SELKIE_BACKEND": "nonsense"}).returncode, 0)

    def test_other_variables_that_are_wrong(self):
        """They change nothing, or are one line; none is an error without a name."""
        for variable in ("SELKIE_SLOW_MS", "SELKIE_DEBUG", "UV_THREADPOOL_SIZE"):
            for value in ("nonsense", "", "-1", "nan", "99999999999999999999"):
                for name in "workers", "deadline", "ticker":
                    with self.subTest(variable=variable, value=value, name=name):
                        ended = run([str(support.programs / name), *SHORT[name]],
                                    environment={variable: value})
                        self.assertEqual(ended.returncode, 0, ended.stderr)
                        for line in ended.stderr.splitlines():
                            self.assertRegex(line, r"\Aselkie: ")

    def test_a_trace_that_cannot_be_written(self):
        """It is one line, and the program goes on without."""
        with tempfile.TemporaryDirectory() as directory:
            trace = f"{directory}/no such/trace.json"
            ended = run([str(support.programs / "deadline"), "echo", "done"],
                        environment={"SELKIE_TRACE": trace})
        self.assertEqual(ended.returncode, 0)
        self.assertIn("done", ended.stdout)
        self.assertRegex(ended.stderr, r"\Aselkie: [^\n]+\n\Z")
        self.assertIn("No such file or directory", ended.stderr)


class Verbs(unittest.TestCase):
    """./run, whose verbs are programs, too."""

    def run_verb(self, *words, **options):
        return run(["sh", str(RUN), *words], **options)

    def test_no_argument_lists_the_verbs(self):
        ended = self.run_verb()
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        first, *lines = ended.stdout.splitlines()
        self.assertEqual(first, "usage: ./run VERB [OPTION...]")
        listed = [re.fullmatch(r"  \./run ([a-z]+) +(\S.*)", line)[1] for line in lines]
        verbs = re.findall(r"^ *([a-z]+)\) ", RUN.read_text(), re.M)
        self.assertEqual(listed, verbs)
        self.assertLessEqual({"echo", "select", "test", "docs", "bench"}, set(listed))
        self.assertEqual(self.run_verb("--help").stdout, ended.stdout)

    def test_no_such_verb(self):
        ended = self.run_verb("nonsense")
        self.assertEqual((ended.returncode, ended.stdout), (2, ""))
        self.assertRegex(ended.stderr, r"\Arun: there is no verb 'nonsense'[^\n]*\n\Z")

    def test_no_such_program(self):
        for name in ("nonsense", "01_nonsense", "../run", "first"):
            ended = self.run_verb("demo", name)
            self.assertEqual((ended.returncode, ended.stdout), (2, ""))
            self.assertRegex(ended.stderr, r"\Arun demo: there is no program '[^\n]*\n\Z")

    def test_wrong_options_of_scripts(self):
        for script, status in [
                ("test/run_tests.py", 2), ("test/bench/run_bench.py", 2),
                ("docs/site/build.py", 2), ("test/soak/soak.py", 2),
                ("test/fuzz/run_fuzz.py", 1), ("test/python/lessons.py", 2),
                ("test/mutate/mutate.py", 1)]:
            with self.subTest(script):
                ended = run([sys.executable, str(TOP / script), "--nonsense"])
                self.assertEqual((ended.returncode, ended.stdout), (status, ""))
                self.assertRegex(ended.stderr, r"\A[^\n]+\n\Z")

    def test_fresh_needs_root(self):
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        if os.geteuid() != 0:
            command = []
        script = str(TOP / "test" / "run_tests.py")
        ended = run([*command, "/usr/bin/python3", "-B", script, "--fresh"])
        if "Permission denied" in ended.stderr:
            self.skipTest("nobody may not read this tree")
        self.assertEqual((ended.returncode, ended.stdout), (1, ""))
        self.assertRegex(ended.stderr, r"\Arun test: --fresh needs root[^\n]*\n\Z")


if __name__ == "__main__":
    support.main()
