# SPDX-License-Identifier: MIT
"""The servers under friendly, greedy, rude and absent clients.

Run as support.py says.  Every test of EchoTests runs on every server; what takes
seconds of waiting is in SideBySide, where all servers wait at the same time.
"""
import random
import signal
import socket
import time
import unittest

import support
from support import (FD_SETSIZE, Server, ask, closing_all, eventually, every_server, fill,
                     pump, read_exactly, read_to_end, reset)

BYTES = random.Random(2).randbytes(10 << 20)
MEBIBYTE = BYTES[:1 << 20]


def refuses(server):
    """It has stopped to listen."""
    try:
        server.connect().close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


class EchoTests:
    kind = None

    def setUp(self):
        self.server = self.start()

    def start(self, *arguments, **limits):
        server = Server(self.kind, *arguments, **limits)
        self.addCleanup(server.close)
        return server

    def assert_serves(self, server=None):
        with (server or self.server).connect() as sock:
            self.assertEqual(ask(sock, b"are you there?"), b"are you there?")

    def assert_serves_and_stops(self):
        """It is alive, has let go of everything, and ends as it should."""
        self.assert_serves()
        self.assertEqual(self.server.stop(), 0)
        self.assertEqual(self.server.errors(), "")

    def test_one_byte_writes(self):
        data = BYTES[:2000]
        with self.server.connect() as sock:
            for i in range(len(data)):
                sock.sendall(data[i:i + 1])
            self.assertEqual(read_exactly(sock, len(data)), data)

    def test_ten_mebibytes_both_ways_at_once(self):
        with self.server.connect() as sock:
            self.assertTrue(pump(sock, BYTES) == BYTES)

    def test_half_close_gets_the_whole_echo_then_the_end(self):
        with self.server.connect() as sock:
            self.assertTrue(pump(sock, MEBIBYTE) == MEBIBYTE)
        self.assert_serves_and_stops()

    def test_resets_with_unread_data(self):
        before = self.server.descriptors()
        for _ in range(50):
            sock = self.server.connect()
            fill([sock], BYTES[:200000], quiet=0)
            reset(sock)
        self.assert_serves()
        self.assertTrue(eventually(lambda: self.server.descriptors() == before))
        self.assert_serves_and_stops()

    def test_resets_in_mid_stream(self):
        before = self.server.descriptors()
        for size in range(1, 100000, 2000):
            sock = self.server.connect()
            sock.sendall(BYTES[:size])
            self.assertEqual(read_exactly(sock, size // 2), BYTES[:size // 2])
            reset(sock)
        self.assert_serves()
        self.assertTrue(eventually(lambda: self.server.descriptors() == before))
        self.assert_serves_and_stops()

    def test_resets_before_they_are_accepted(self):
        self.server.send_signal(signal.SIGSTOP)
        for _ in range(20):
            sock = self.server.connect()
            sock.sendall(b"gone")
            reset(sock)
        self.server.send_signal(signal.SIGCONT)
        self.assert_serves_and_stops()

    def test_a_reset_after_a_half_close(self):
        """The one that makes a careless send() end the process with SIGPIPE."""
        with self.server.connect() as sock:
            ask(sock, b"hello")
            self.server.send_signal(signal.SIGSTOP)
            sock.sendall(b"good bye")
            sock.shutdown(socket.SHUT_WR)
            reset(sock)
        self.server.send_signal(signal.SIGCONT)
        self.assert_serves_and_stops()

    def test_clients_that_never_read_cost_little_and_delay_nobody(self):
        self.assert_serves()
        memory = self.server.memory()
        with closing_all() as greedy:
            for _ in range(8):
                greedy.append(self.server.connect(receive_buffer=4096))
            sent = fill(greedy, BYTES * 4)
            self.assertLess(max(sent), len(BYTES) * 4)
            # 8 times the high-water mark and one read are 640 KiB
            self.assertLess(self.server.memory() - memory, 8 << 20)
            self.assert_serves()
            # and when one reads after all, nothing is missing
            greedy[0].shutdown(socket.SHUT_WR)
            self.assertTrue(read_to_end(greedy[0]) == (BYTES * 4)[:sent[0]])
        self.assert_serves_and_stops()

    def test_a_thousand_clients_at_once(self):
        before = self.server.descriptors()
        count = 900 if self.kind.room else 1000
        with closing_all() as socks:
            for _ in range(count):
                socks.append(self.server.connect())
            for i, sock in enumerate(socks):
                sock.sendall(b"client %d" % i)
            for i, sock in enumerate(socks):
                message = b"client %d" % i
                self.assertEqual(read_exactly(sock, len(message)), message)
        # A selector may keep a few for the next thousand.
        self.assertTrue(eventually(lambda: self.server.descriptors() < before + 10))
        self.assert_serves_and_stops()

    def test_more_clients_than_select_holds(self):
        if not self.kind.room:
            self.skipTest("this server has no such limit")
        support.need_descriptors(self, FD_SETSIZE + 100)
        with closing_all() as socks:
            for _ in range(FD_SETSIZE + 50):
                socks.append(self.server.connect())
            self.assertEqual(read_to_end(socks[-1]), b"")
            self.assertEqual(ask(socks[0], b"first"), b"first")
            served = self.server.descriptors()
            self.assertLessEqual(served, FD_SETSIZE)
            self.assertGreater(served, FD_SETSIZE - 20)
        self.assertTrue(eventually(lambda: self.server.descriptors() < 50))
        self.assert_serves_and_stops()

    def test_two_hundred_connect_and_close(self):
        before = self.server.descriptors()
        with closing_all() as socks:
            for _ in range(200):
                socks.append(self.server.connect())
        self.assert_serves()
        self.assertTrue(eventually(lambda: self.server.descriptors() == before))
        self.assert_serves_and_stops()

    def test_signals_under_load_send_what_is_queued(self):
        servers = {signum: self.start("--verbose")
                   for signum in (signal.SIGINT, signal.SIGTERM)}
        with closing_all() as socks:
            for server in servers.values():
                socks += [server.connect(receive_buffer=4096) for _ in range(2)]
            sent = fill(socks, BYTES)
            for signum, server in servers.items():
                server.send_signal(signum)
            received = [read_to_end(sock) for sock in socks]
        for size, data in zip(sent, received):
            self.assertLess(len(data), size)
            self.assertTrue(BYTES.startswith(data))
        self.assertEqual([server.wait() for server in servers.values()], [0, 0])
        self.assertEqual(sum(map(len, received)),
                         sum(server.echoed() for server in servers.values()))

    def test_what_is_sent_after_sigterm_destroys_nothing(self):
        server = self.start("--verbose")
        data = BYTES[:60000]  # is read whole, however little the kernel takes for the client
        with server.connect(receive_buffer=4096) as sock:
            sock.sendall(data)
            self.assertTrue(eventually(lambda: server.echoed() == len(data)))
            server.send_signal(signal.SIGTERM)
            self.assertTrue(eventually(lambda: refuses(server)))
            sock.sendall(b"too late")
            self.assertTrue(read_to_end(sock) == data)
        self.assertEqual(server.wait(), 0)

    def test_stops_at_once_when_all_clients_are_idle(self):
        with closing_all() as socks:
            for _ in range(20):
                socks.append(self.server.connect())
                ask(socks[-1], b"hello")
            self.server.send_signal(signal.SIGINT)
            self.assertEqual([read_to_end(sock) for sock in socks], [b""] * 20)
            self.assertEqual(self.server.wait(), 0)

    def test_ipv6(self):
        if not support.has_ipv6():
            self.skipTest("this machine has no ::1")
        server = self.start("--host", "::1")
        self.assertEqual(server.listening, f"listening on [::1]:{server.address[1]}\n")
        self.assertEqual(server.hint, f"try: nc ::1 {server.address[1]}\n")
        self.assert_serves(server)


support.for_each_kind(EchoTests, globals())


class SideBySide(unittest.TestCase):
    """What takes its time, on all servers at once."""

    def about(self, server):
        """A subtest, so that the others have theirs when one fails."""
        return self.subTest(server=server.kind.name)

    def cpu_shares(self, servers, seconds):
        """The share of one CPU that each server uses while nothing happens."""
        before = [server.cpu() for server in servers]
        start = time.monotonic()
        time.sleep(seconds)
        waited = time.monotonic() - start
        return [(server.cpu() - used) / waited for server, used in zip(servers, before)]

    def slow_clients(self, servers, socks):
        """One for each server."""
        slow = [server.connect(receive_buffer=4096) for server in servers]
        socks += slow
        return slow

    def test_no_cpu_while_nothing_moves(self):
        with every_server("--verbose") as servers, closing_all() as socks:
            fill(self.slow_clients(servers, socks), BYTES)
            # What a server took from that one, but for a part of its queue: the next
            # client's end is seen while something is queued, unless the kernel's
            # buffers have grown.
            sizes = [server.echoed() - 30000 for server in servers]
            ended = self.slow_clients(servers, socks)
            for sock, size in zip(ended, sizes):
                sock.sendall(BYTES[:size])
                sock.shutdown(socket.SHUT_WR)
            for server in servers:
                for _ in range(20):
                    socks.append(server.connect())
                    ask(socks[-1], b"idle from now on")
                socks[-1].send(b"!", socket.MSG_OOB)
            shares = self.cpu_shares(servers, 1.0)
            for server, share, sock, size in zip(servers, shares, ended, sizes):
                with self.about(server):
                    self.assertLess(share, 0.03)
                    self.assertTrue(read_to_end(sock) == BYTES[:size])

    def test_no_descriptor_left(self):
        with every_server("--verbose", descriptors=32) as servers, closing_all() as socks:
            before = [server.descriptors() for server in servers]
            for server in servers:
                socks += [server.connect() for _ in range(60)]
            shares = self.cpu_shares(servers, 1.0)
            for server, share in zip(servers, shares):
                with self.about(server):
                    self.assertLess(share, 0.05)
                    self.assertLessEqual(server.descriptors(), 32)
                    self.assertIn("turned away: Too many open files", server.errors())
            while socks:
                socks.pop().close()
            for server, count in zip(servers, before):
                with self.about(server):
                    self.assertTrue(eventually(lambda: server.descriptors() <= count))
                    with server.connect() as sock:
                        self.assertEqual(ask(sock, b"room again"), b"room again")
                    self.assertEqual(server.stop(), 0)

    def test_no_room_for_another_client(self):
        """Not even for one that is turned away, as when the kernel's table is full."""
        with every_server("--verbose") as servers, closing_all() as socks:
            allowed = [server.allow_descriptors(3) for server in servers]
            socks += [server.connect() for server in servers]
            shares = self.cpu_shares(servers, 1.0)
            for server, share, sock, count in zip(servers, shares, socks, allowed):
                with self.about(server):
                    self.assertLess(share, 0.05)
                    self.assertIn("cannot accept for now", server.errors())
                    server.allow_descriptors(count)
                    self.assertEqual(ask(sock, b"room at last"), b"room at last")

    def test_a_full_backlog(self):
        with every_server("--backlog", "1") as servers, closing_all() as socks:
            for server in servers:
                server.send_signal(signal.SIGSTOP)
                for _ in range(10):
                    sock = socket.socket()
                    sock.setblocking(False)
                    sock.connect_ex(server.address)
                    socks.append(sock)
                server.send_signal(signal.SIGCONT)
            for i, sock in enumerate(socks):
                sock.settimeout(support.PATIENCE)
                sock.connect_ex(servers[i // 10].address)  # waits for the one under way
                self.assertEqual(ask(sock, b"let in at last"), b"let in at last")

    def test_a_client_that_never_reads_delays_the_end_for_seconds_only(self):
        with every_server() as servers, closing_all() as socks:
            fill(self.slow_clients(servers, socks), BYTES)
            start = time.monotonic()
            for server in servers:
                server.send_signal(signal.SIGTERM)
            for server in servers:
                with self.about(server):
                    self.assertEqual(server.wait(), 0)
                    self.assertGreaterEqual(time.monotonic() - start, 3)

    def test_a_second_signal_ends_at_once(self):
        with every_server() as servers, closing_all() as socks:
            fill(self.slow_clients(servers, socks), BYTES)
            for server in servers:
                with self.about(server):
                    start = time.monotonic()
                    server.send_signal(signal.SIGTERM)
                    # Taken, for nobody can connect: the second is no duplicate.
                    self.assertTrue(eventually(lambda: refuses(server)))
                    server.send_signal(signal.SIGINT)
                    self.assertEqual(server.wait(), 0)
                    self.assertLess(time.monotonic() - start, 3)



if __name__ == "__main__":
    support.main()
