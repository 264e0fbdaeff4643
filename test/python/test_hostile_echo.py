# SPDX-License-Identifier: MIT
"""The echo server under very many hostile clients, on every backend.

Run as support.py says; hostile.py says how TEST_LEVEL sets the sizes.  test_servers.py
has the same in small, and what needs no size.
"""
import functools
import re
import signal
import socket
import time

import support
from hostile import (BYTES, INSTRUMENTED, STREAM, HostileTests, Talker, at_level, at_rest,
                     end_load, for_each_backend, kernel_queues, kinds_of, report,
                     setUpModule, start_load, talk, tearDownModule, unread, unsent)
from support import Server, ask, closing_all, fill, reset

__all__ = ["setUpModule", "tearDownModule"]

HIGH_WATER = 64 * 1024  # the server's
READ_SIZE = 16 * 1024
MEBIBYTE = 1 << 20
BATCH = 20  # clients that reset at the same time
CROWD = 100  # clients of the churn that are there at once
TICKS = 10  # in a second: the slow clients take turns
ENDLESS = 1 << 40


class SlowClient:
    """A byte a second, each checked when it comes back."""

    def __init__(self, sock, number):
        self.sock = sock
        self.start = number
        self.sent = self.received = 0
        sock.setblocking(False)

    def send(self):
        at = self.start + self.sent
        self.sent += self.sock.send(STREAM[at:at + 1])

    def read(self):
        """Is all here that was sent?  A wrong byte never is."""
        try:
            data = self.sock.recv(256)
        except BlockingIOError:
            data = b""
        at = self.start + self.received
        if data == STREAM[at:at + len(data)]:
            self.received += len(data)
        return self.received == self.sent


class Healthy:
    """Clients that are served while others are slow: the load client, again and again."""

    def __init__(self):
        self.results = []
        self.process = None

    def go_on(self, server):
        """Returns whether one has just ended."""
        if self.process is None:
            self.process = start_load(server, 10, at_level(100, 1000, 5000))
        if self.process.poll() is None:
            return False
        process, self.process = self.process, None
        self.results.append(end_load(process))
        return True

    @property
    def all_served(self):
        return all(result["status"] == 0 for result in self.results)

    @property
    def p99(self):
        return max(result["latency_ms"]["99"] for result in self.results)


def trickle(servers, crowds, seconds):
    """The slow clients of all servers at a byte a second, while each server has its
    healthy ones in turn, for so long and until each has had some.
    """
    everyone = [client for crowd in crowds for client in crowd]
    healthy = [Healthy() for _ in servers]
    turn, tick, start = 0, 0, time.monotonic()
    while tick < seconds * TICKS or not healthy[-1].results or healthy[turn].process:
        for client in everyone[tick % TICKS::TICKS]:
            client.read()
            client.send()
        tick += 1
        if healthy[turn].go_on(servers[turn]):
            turn = (turn + 1) % len(servers)
        time.sleep(max(0, start + tick / TICKS - time.monotonic()))
    return healthy


@functools.cache
def slowloris():
    """{backend: (how many slow clients, how many of them lack something, the healthy
    ones)}: all wait at the same time.
    """
    count, seconds = at_level(200, 2000, 2000), at_level(2, 15, 120)
    kinds = kinds_of("echo_server")
    with closing_all() as socks, closing_all() as servers:
        crowds = []
        for kind in kinds:
            servers.append(Server(kind))
            most = min(count, kind.room - 80) if kind.room else count
            mine = [servers[-1].connect() for _ in range(most)]
            socks += mine
            crowds.append([SlowClient(sock, i) for i, sock in enumerate(mine)])
        healthy = trickle(servers, crowds, seconds)
        for crowd in crowds:
            support.eventually(lambda: all([client.read() for client in crowd]))
        lacking = [sum(not client.read() for client in crowd) for crowd in crowds]
    return {kind.backend: (len(crowd), lack, health)
            for kind, crowd, lack, health in zip(kinds, crowds, lacking, healthy)}


def come_and_go(server, number):
    """A crowd of clients of which each leaves in its own way."""
    socks = [server.connect() for _ in range(CROWD)]
    for i, sock in enumerate(socks):
        if i % 4 > 0:
            sock.send(b"%d" % (number + i))
    for i, sock in enumerate(socks):
        said = b"%d" % (number + i)
        if i % 4 == 2:
            sock.shutdown(socket.SHUT_WR)
        if i % 4 == 1:
            reset(sock)
            continue
        if i % 4 > 1 and sock.recv(100) != said:
            raise AssertionError("a wrong echo")
        if i % 4 == 2 and sock.recv(100) != b"":
            raise AssertionError("more than the echo")
        sock.close()


def program_queues(server, socks):
    """What the server's program holds for its latest clients: what it says it read for
    each, less what the kernel has of it.
    """
    taken = {}
    for fd, event in re.findall(r": (\d+): (accepted|echoing \d+)", server.errors()):
        if event == "accepted":
            taken.pop(fd, None)  # so that the latest come last
            taken[fd] = 0
        else:
            taken[fd] += int(event.split()[1])
    to_send = kernel_queues(server)
    return [size - to_send[sock.getsockname()[1]] - unread(sock)
            for sock, size in zip(socks, list(taken.values())[-len(socks):])]


class Echo(HostileTests):
    program = "echo_server"

    def assert_serves(self, server):
        with server.connect() as sock:
            self.assertEqual(ask(sock, b"are you there?"), b"are you there?")

    def test_slow_clients_delay_nobody(self):
        count, lacking, healthy = slowloris()[self.kind.backend]
        report(self, f"{count} slow clients, a byte a second each; p99 of the healthy "
                     f"{healthy.p99:.3f} ms (the aim is under 10)")
        self.assertEqual(lacking, 0)
        self.assertTrue(healthy.all_served)

    def test_many_half_closes_get_the_whole_echo_then_the_end(self):
        count = self.room_for(at_level(20, 200, 1000))
        server, socks = self.start(), self.clients()
        before = server.descriptors()
        socks += [server.connect() for _ in range(count)]
        talkers = [Talker(sock, i, MEBIBYTE) for i, sock in enumerate(socks)]
        talk(talkers)
        report(self, f"{count} at once half-closed after 1 MiB")
        self.assertEqual([(t.received, t.was_reset) for t in talkers],
                         [(MEBIBYTE, False)] * count)
        self.assert_as_before(server, before + count // 20)
        self.assert_ends_well(server)

    def reset_batch(self, server, batch):
        for _ in range(BATCH):
            batch.append(server.connect(receive_buffer=4096))
        for sock in batch:
            sock.sendall(BYTES[:MEBIBYTE])

    def fill_and_end(self, batch):
        """Send more than fits into the kernel, so that the server has a queue of its own.
        Once it has got our end, a reset makes a careless send() end it with SIGPIPE.
        """
        for sock in batch:
            sock.sendall(BYTES[:2 * MEBIBYTE])
            sock.shutdown(socket.SHUT_WR)
        at_rest(lambda: [unsent(sock) for sock in batch])

    def test_resets_with_a_mebibyte_queued(self):
        rounds = at_level(100, 2000, 10000)
        server = self.start()
        with server.connect() as healthy:
            ask(healthy, b"hello")
            before = server.descriptors()
            for i in range(0, rounds, BATCH):
                batch = self.clients()
                self.reset_batch(server, batch)
                if i == 0:
                    self.fill_and_end(batch)
                self.assertEqual(ask(healthy, b"and you?"), b"and you?")
                for sock in batch:
                    reset(sock)
            self.assert_as_before(server, before)
        report(self, f"{rounds} resets with 1 MiB queued")
        self.assert_serves(server)
        self.assert_ends_well(server)

    def rate(self, server, results):
        """Messages a second of clients that read."""
        results.append(end_load(start_load(server, 50, at_level(100, 1000, 10000), 1024)))
        return results[-1]["came_back"] / results[-1]["seconds"]

    def test_clients_that_never_read_have_little_queued(self):
        server, greedy, results = self.start("--verbose"), self.clients(), []
        alone = self.rate(server, results)
        greedy += [server.connect(receive_buffer=4096) for _ in range(8)]
        self.assertLess(max(fill(greedy, BYTES * 4)), 4 * len(BYTES))
        queues = at_rest(lambda: program_queues(server, greedy))
        beside = self.rate(server, results)
        report(self, f"8 never read and have {max(queues)} bytes queued; the others keep "
                     f"{beside / alone:.0%} of {alone:.0f} messages a second (the aim is "
                     "90 %)")
        self.assertGreaterEqual(min(queues), HIGH_WATER)
        self.assertLess(max(queues), HIGH_WATER + READ_SIZE)
        self.assertEqual([result["status"] for result in results], [0, 0])

    def churn(self, server, count):
        for number in range(0, count, CROWD):
            come_and_go(server, number)
            self.assertIsNone(server.process.poll())

    def test_a_churn_of_connections_leaves_nothing(self):
        count = at_level(2000, 50000, 1000000)
        server = self.start()
        self.churn(server, 1000)
        self.assert_serves(server)
        descriptors, memory = server.descriptors(), server.memory()
        start = time.monotonic()
        self.churn(server, count)
        report(self, f"{count} connections came and went, "
                     f"{count / (time.monotonic() - start):.0f} a second")
        self.assert_serves(server)
        self.assert_as_before(server, descriptors)
        self.assert_little_more(server, memory)
        self.assert_ends_well(server)

    def test_ten_thousand_clients_of_one_process(self):
        count = self.room_for(1000 if INSTRUMENTED else at_level(1000, 10000, 10000))
        messages = at_level(10, 30, 100)
        server = self.start()
        result = end_load(start_load(server, count, messages))
        report(self, f"{count} connections with {messages} messages each in "
                     f"{result['seconds']:.1f} s")
        self.assertEqual((result["status"], result["connected"]), (0, count))
        self.assertEqual(result["came_back"], count * messages)
        self.assertEqual((result["wrong"], result["lost"]), (0, 0))
        self.assert_ends_well(server)

    def test_sigterm_under_load_sends_what_is_queued(self):
        count = self.room_for(at_level(50, 300, 900))
        server, socks = self.start("--verbose"), self.clients()
        socks += [server.connect() for _ in range(count)]
        talkers = [Talker(sock, i, ENDLESS) for i, sock in enumerate(socks)]
        passes = iter(range(100))

        def stop_in_the_midst():
            if next(passes, None) == 99:
                server.send_signal(signal.SIGTERM)

        talk(talkers, stop_in_the_midst)
        received = sum(talker.received for talker in talkers)
        report(self, f"SIGTERM with {count} clients after {received} bytes")
        self.assertEqual(server.wait(), 0)
        self.assertEqual(received, server.echoed())


for_each_backend(Echo, globals())


if __name__ == "__main__":
    support.main()
