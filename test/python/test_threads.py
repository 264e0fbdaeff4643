# SPDX-License-Identifier: MIT
"""The echo server with --threads: a reactor on each, and one end for all of them."""
import os
import signal
import unittest

import support
from support import KINDS, Server, ask, closing_all, eventually

THREADS = 4
CLIENTS = 64  # the kernel spreads them over the threads' listeners


def threads_of(server):
    return len(os.listdir(f"/proc/{server.process.pid}/task"))


class ThreadTests:
    kind = None

    def start(self, *arguments):
        server = Server(self.kind, "--threads", str(THREADS), *arguments)
        self.addCleanup(server.close)
        return server

    def test_every_client_is_served_and_every_thread_ends(self):
        for signum in signal.SIGTERM, signal.SIGINT:
            server = self.start()
            with closing_all() as socks:
                for i in range(CLIENTS):
                    socks.append(server.connect())
                    self.assertEqual(ask(socks[i], b"hello"), b"hello")
                for i, sock in enumerate(socks):
                    message = str(i).encode() * 100
                    self.assertEqual(ask(sock, message), message)
                self.assertGreaterEqual(threads_of(server), THREADS)
                server.send_signal(signum)
            self.assertEqual(server.wait(), 0)
            self.assertEqual(server.errors(), "")

    def test_the_clients_are_shared_out(self):
        server = self.start("--verbose")
        with closing_all() as socks:
            for i in range(CLIENTS):
                socks.append(server.connect())
                ask(socks[i], b"hello")
            before = self.work_of_threads(server)
            for sock in socks:
                for _ in range(20):
                    ask(sock, b"hello")
            worked = [after > before.get(thread, 0)
                      for thread, after in self.work_of_threads(server).items()]
            self.assertGreater(sum(worked), 1)
        self.assertEqual(server.stop(), 0)

    @staticmethod
    def work_of_threads(server):
        """{thread: how often it slept}: it sleeps once for each message it echoes."""
        slept = {}
        for thread in os.listdir(f"/proc/{server.process.pid}/task"):
            with open(f"/proc/{server.process.pid}/task/{thread}/status") as status:
                slept[thread] = next(int(line.split()[1]) for line in status
                                     if line.startswith("voluntary_ctxt_switches"))
        return slept

    def test_a_signal_at_once_ends_all(self):
        for _ in range(20):
            server = self.start()
            self.assertEqual(server.stop(), 0)
            self.assertTrue(eventually(lambda: server.process.poll() == 0))


for each in KINDS:
    if each.program == "echo_server":
        name = f"ThreadTests_{each.name}"
        globals()[name] = type(name, (ThreadTests, unittest.TestCase),
                               {"kind": each, "__module__": __name__})


if __name__ == "__main__":
    support.main()
