# SPDX-License-Identifier: MIT
"""The servers' options, errors and exit codes.

Run as support.py says.  A wrong command line is exit code 2, anything else that
goes wrong before the server serves is 1; either way stderr gets one plain line.
"""
import os
import socket
import subprocess
import time

import support
from support import Server, ask

WRONG = [
    ["--port", "x"], ["--port", ""], ["--port", "-1"], ["--port", "65536"],
    ["--port", "1 "], ["--port", "99999999999999999999"], ["-p", "+5"], ["--port"],
    ["--backlog", "0"], ["--backlog", "x"], ["-b", "1.5"],
    ["--nonsense"], ["-x"], ["--verbose=yes"], ["word"], ["--port", "0", "word"],
]
WRONG_TIMEOUT = [
    ["--timeout", "0"], ["--timeout", "x"], ["--timeout", ""], ["--timeout", "nan"],
    ["--timeout", "-1"], ["--timeout", "1.2.3"], ["-t", "inf"], ["-t", "."],
]


class CommandLineTests:
    kind = None

    def run_program(self, *arguments, env=(), **streams):
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
        return subprocess.run(self.kind.command(*arguments), text=True,
                              env={**self.kind.environment(), **dict(env)},
                              stdin=subprocess.DEVNULL, timeout=support.PATIENCE,
                              **streams)

    def assert_fails(self, ended, status):
        self.assertEqual(ended.returncode, status)
        self.assertRegex(ended.stderr, rf"\A{self.kind.program}: [^\n]+\n\Z")

    def test_wrong_options(self):
        no_such_option = [["--timeout", "1"]]
        for arguments in WRONG + (
                WRONG_TIMEOUT if self.kind.is_select_loop else no_such_option):
            with self.subTest(arguments=arguments):
                ended = self.run_program(*arguments)
                self.assert_fails(ended, 2)
                self.assertEqual(ended.stdout, "")

    def test_help_names_every_option(self):
        for option in ("--help", "-h"):
            ended = self.run_program(option)
            self.assertEqual((ended.returncode, ended.stderr), (0, ""))
            self.assertTrue(ended.stdout.startswith(f"Usage: {self.kind.program} "))
            for name in ("--host", "--port", "--backlog", "--verbose", "--version"):
                self.assertIn(name, ended.stdout)
            self.assertEqual("--timeout" in ended.stdout, self.kind.is_select_loop)

    def test_version(self):
        for option in ("--version", "-V"):
            ended = self.run_program(option)
            self.assertEqual((ended.returncode, ended.stderr), (0, ""))
            self.assertRegex(ended.stdout,
                             rf"\A{self.kind.program}, (selkie|Python) \d+\.\d+\.\d+\n\Z")

    def test_a_full_disk(self):
        for arguments in (["--help"], ["--version"], ["--port", "0"]):
            with self.subTest(arguments=arguments), open("/dev/full", "w") as full:
                ended = self.run_program(*arguments, stdout=full)
                self.assert_fails(ended, 1)
                self.assertIn("No space left on device", ended.stderr)

    def test_closed_stdout(self):
        for arguments in (["--help"], ["--version"], ["--port", "0"]):
            with self.subTest(arguments=arguments):
                ended = self.run_program(*arguments, stdout=None,
                                         preexec_fn=lambda: os.close(1))
                self.assert_fails(ended, 1)
                self.assertIn("Bad file descriptor", ended.stderr)

    def test_closed_stderr(self):
        ended = self.run_program("--port", "x", stderr=None,
                                 preexec_fn=lambda: os.close(2))
        self.assertEqual((ended.returncode, ended.stdout), (2, ""))

    def test_a_taken_port(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            ended = self.run_program("--port", str(taken.getsockname()[1]))
        self.assert_fails(ended, 1)
        self.assertIn("Address already in use", ended.stderr)

    def test_an_unknown_host(self):
        for host in ("no such host", "256.1.1.1", ""):
            with self.subTest(host=host):
                self.assert_fails(self.run_program("--host", host, "--port", "0"), 1)

    def test_a_host_of_another_machine(self):
        # From the block set aside for documentation: nobody has it.
        ended = self.run_program("--host", "192.0.2.1", "--port", "0")
        self.assert_fails(ended, 1)
        self.assertIn("Cannot assign requested address", ended.stderr)

    def test_port_0_says_which_it_got(self):
        with Server(self.kind) as server:
            port = server.address[1]
            self.assertNotEqual(port, 0)
            self.assertEqual(server.listening, f"listening on 127.0.0.1:{port}\n")
            self.assertEqual(server.hint, f"try: nc 127.0.0.1 {port}\n")
            with server.connect() as sock:
                self.assertEqual(ask(sock, b"hello"), b"hello")

    def test_verbose_tells_who_comes_and_goes(self):
        with Server(self.kind, "-v") as server:
            with server.connect() as sock:
                self.assertEqual(ask(sock, b"hello"), b"hello")
                sock.shutdown(socket.SHUT_WR)
                self.assertEqual(sock.recv(1), b"")
            self.assertEqual(server.stop(), 0)
            said = [line.split(": ", 2)[2] for line in server.errors().splitlines()]
            self.assertEqual(said, ["accepted", "echoing 5 bytes", "closed"])

    def test_timeout_ends_it(self):
        if not self.kind.is_select_loop:
            self.skipTest("this server has no --timeout")
        start = time.monotonic()
        ended = self.run_program("--port", "0", "--timeout", "0.3")
        self.assertGreaterEqual(time.monotonic() - start, 0.3)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertEqual(ended.stdout.splitlines()[-1], "timed out")

    def test_an_unknown_backend(self):
        if self.kind.backend is None:
            self.skipTest("only the C echo server reads SELKIE_BACKEND")
        ended = self.run_program("--port", "0", env={"SELKIE_BACKEND": "kqueue"})
        self.assert_fails(ended, 1)
        self.assertIn("SELKIE_BACKEND=kqueue is not one of ", ended.stderr)


support.for_each_kind(CommandLineTests, globals())


if __name__ == "__main__":
    support.main()
