# SPDX-License-Identifier: MIT
"""The monitor: its HTTP over raw sockets, its figures, its page in a browser.

Run as support.py says.  Where the monitor was not built, for want of libhttp-parser, it
says so and tests nothing; the browser is asked for with TEST_LEVEL=thorough.
"""
import contextlib
import json
import os
import re
import socket
import subprocess
import time
import unittest

import chromium
import support
from support import PATIENCE, Kind, Server, ask, closing_all, eventually, read_to_end

BACKENDS = ["uv", "epoll"]
CLIENTS_MAX = 128
# Whether texts below the bars of the histogram run into each other.
OVERLAP = """draw(), [...document.querySelectorAll('#histogram text[y="184"]')]
  .map(text => text.getBoundingClientRect())
  .some((box, i, all) => i > 0 && box.left < all[i - 1].right)"""
COMMAND = """events[events.length - 1].echo = '%s', draw(),
  document.getElementById('load').textContent"""
HOST = b"Host: localhost\r\n"
CLOSE = HOST + b"Connection: close\r\n"
EVENTS_MAX = 400  # what a slow reader may be sent before it is hung up on
TIMEOUT = "1"  # seconds that the monitor waits for a slow browser, where that is tested


class Monitor(Server):
    def __init__(self, backend, *arguments, port="0", **limits):
        super().__init__(Kind("monitor", "monitor", backend), "--echo-port", "0",
                         *arguments, **limits)
        port = self.process.stdout.readline().decode().rpartition(":")[2]
        self.page = self.address
        self.echo = ("127.0.0.1", int(port))

    def connect_echo(self, receive_buffer=None):
        self.address = self.echo
        try:
            return self.connect(receive_buffer)
        finally:
            self.address = self.page

    def send(self, request, end=False):
        """All that comes back for some bytes, to the end."""
        with self.connect() as sock:
            with contextlib.suppress(ConnectionError):  # it may know enough early
                sock.sendall(request)
            if end:
                sock.shutdown(socket.SHUT_WR)
            return read_to_end(sock)

    def figures(self):
        answer = self.send(b"GET /figures HTTP/1.1\r\n" + CLOSE + b"\r\n")
        return json.loads(split(answer)[2])

    def stream(self, receive_buffer=None):
        """A socket that events come to."""
        sock = self.connect(receive_buffer)
        sock.sendall(b"GET /events HTTP/1.1\r\n" + HOST + b"\r\n")
        return sock


def split(answer):
    """(status, {header: value}, body) of one answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *lines = head.decode("ascii").split("\r\n")
    version, status, _ = line.split(" ", 2)
    assert version == "HTTP/1.1", line
    return int(status), dict(line.lower().split(": ", 1) for line in lines), body


def read_answer(sock, body=True):
    """One answer of a connection that is kept."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += sock.recv(1)
    status, headers, _ = split(answer)
    size = int(headers["content-length"]) if body else 0
    return status, headers, support.read_exactly(sock, size)


def read_events(sock, count):
    """The figures of so many events; the rest of the last may be left in the socket."""
    text = b""
    while len(found := re.findall(rb"^data: (.*)\n\n", text, re.M)) < count:
        more = sock.recv(4096)
        assert more, text
        text += more
    return [json.loads(data) for data in found[:count]]


class MonitorTests:
    backend = None

    def start(self, *arguments, **limits):
        monitor = Monitor(self.backend, *arguments, **limits)
        self.addCleanup(monitor.close)
        return monitor

    def assert_serves(self, monitor):
        status, _, body = split(monitor.send(b"GET / HTTP/1.1\r\n" + CLOSE + b"\r\n"))
        self.assertEqual(status, 200)
        self.assertTrue(body.startswith(b"<!DOCTYPE html>"))

    def assert_refused(self, monitor, request, status, end=False):
        with self.subTest(request=request[:60]):
            answer = split(monitor.send(request, end))
            self.assertEqual(answer[0], status)
            self.assertEqual(answer[1]["connection"], "close")
            self.assertEqual(int(answer[1]["content-length"]), len(answer[2]))

    def test_it_says_where_it_listens(self):
        with self.start() as monitor:
            at = "127.0.0.1:%d" % monitor.page[1]
            self.assertEqual(monitor.listening, f"listening on {at}\n")
            self.assertEqual(monitor.hint, f"try: a browser at http://{at}/\n")
            with monitor.connect_echo() as sock:
                self.assertEqual(ask(sock, b"hello"), b"hello")
            self.assertEqual(monitor.stop(), 0)
            self.assertEqual(monitor.errors(), "")

    def test_the_page(self):
        monitor = self.start()
        status, headers, body = split(monitor.send(b"GET / HTTP/1.0\r\n\r\n"))
        self.assertEqual(status, 200)
        self.assertEqual(headers["content-type"], "text/html; charset=utf-8")
        self.assertEqual(int(headers["content-length"]), len(body))
        self.assertIn("default-src 'none'", headers["content-security-policy"])
        self.assertTrue(body.endswith(b"</html>\n"))
        hosts = set(re.findall(rb"(?:https?:)?//[\w.]+[/.]", body))
        self.assertLessEqual(hosts, {b"http://www.w3.org/"})  # SVG's name, no request

    def test_head(self):
        monitor = self.start()
        with monitor.connect() as sock:
            for path, size in (b"/", None), (b"/figures", None), (b"/nothing", 14):
                sock.sendall(b"HEAD " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
                _, headers, _ = read_answer(sock, body=False)
                self.assertGreater(int(headers["content-length"]), 13)
                self.assertIn(size, (None, int(headers["content-length"])))
        answer = monitor.send(b"HEAD /events HTTP/1.1\r\n" + HOST + b"\r\n")
        self.assertEqual(split(answer)[0::2], (200, b""))

    def test_a_connection_is_kept(self):
        monitor = self.start()
        with monitor.connect() as sock:
            for path, status in (b"/", 200), (b"/x", 404), (b"/figures?x=1", 200):
                sock.sendall(b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
                answer = read_answer(sock)
                self.assertEqual((answer[0], answer[1]["connection"]),
                                 (status, "keep-alive"))
            sock.sendall(b"GET / HTTP/1.1\r\n" + CLOSE + b"\r\n")
            self.assertEqual(read_answer(sock)[1]["connection"], "close")
            self.assertEqual(sock.recv(1), b"")
        with monitor.connect() as sock:
            sock.sendall(b"GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            self.assertEqual(read_answer(sock)[1]["connection"], "keep-alive")

    def test_requests_that_come_together_are_answered_in_their_order(self):
        monitor = self.start()
        request = b"GET /%s HTTP/1.1\r\n" + HOST + b"\r\n"
        order = [b"", b"x", b"figures", b"x"] * 200
        data = b"".join(request % path for path in order)
        with monitor.connect() as sock:
            answers = support.pump(sock, data + b"GET / HTTP/1.0\r\n\r\n")
        statuses = re.findall(rb"^HTTP/1\.1 (\d+) ", answers, re.M)
        expected = [b"404" if path == b"x" else b"200" for path in order]
        self.assertEqual(statuses, expected + [b"200"])

    def test_a_request_may_come_byte_by_byte(self):
        monitor = self.start()
        with monitor.connect() as sock:
            for byte in b"GET /figures?a=b HTTP/1.1\r\nhOsT: LocalHost:1\r\nX: y\r\n\r\n":
                sock.sendall(bytes([byte]))
            self.assertEqual(read_answer(sock)[0], 200)

    def test_a_body_is_passed_over(self):
        monitor = self.start()
        with monitor.connect() as sock:
            sock.sendall(b"GET /x HTTP/1.1\r\n" + HOST +
                         b"Content-Length: 9\r\n\r\nGET / HTT"
                         b"GET /figures HTTP/1.1\r\n" + HOST +
                         b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                         b"GET /x HTTP/1.1\r\n" + CLOSE + b"\r\n")
            self.assertEqual([read_answer(sock)[0] for _ in range(3)], [404, 200, 404])

    def test_wrong_requests(self):
        monitor = self.start()
        for request in (b"\0\1\2\3", b"hello\r\n\r\n", b"GET\r\n\r\n", b"\xff" * 5000,
                        b"GET / HTTP/1.1\r\n\r\n",
                        b"GET / HTTP/1.1\r\n" + 2 * HOST + b"\r\n",
                        b"GET / HTTP/x\r\n\r\n", b"GET / HTTP/1.1\r\nHo st: x\r\n\r\n",
                        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0",
                        b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: x\r\n\r\n",
                        b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"):
            self.assert_refused(monitor, request, 400)
        for request in b"GET /", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n" + HOST:
            self.assert_refused(monitor, request, 400, end=True)
        self.assert_refused(monitor, b"GET /\r\n\r\n", 505)
        self.assert_refused(monitor, b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505)
        for method in b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE":
            request = method + b" / HTTP/1.1\r\n" + HOST
            self.assert_refused(monitor, request + b"Content-Length: 3\r\n\r\nabc", 405)
        self.assert_refused(monitor, b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n", 405)
        self.assert_serves(monitor)
        self.assertEqual(monitor.stop(), 0)
        self.assertEqual(monitor.errors(), "")

    def test_large_requests(self):
        monitor = self.start()
        head = b"GET / HTTP/1.1\r\n" + HOST
        self.assert_refused(monitor, b"GET /" + b"x" * 600 + b" HTTP/1.1\r\n\r\n", 414)
        self.assert_refused(monitor, head + b"X: " + b"x" * 9000 + b"\r\n\r\n", 431)
        self.assert_refused(monitor, head + b"X: y\r\n" * 100000 + b"\r\n", 431)
        self.assert_refused(monitor, head + b"X" * 1_000_000, 431)
        self.assert_refused(monitor, head + b"Content-Length: 100000\r\n\r\n"
                            + b"x" * 100_000, 413)
        chunk = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
        self.assert_refused(monitor, head + b"Transfer-Encoding: chunked\r\n\r\n"
                            + 17 * chunk, 413)
        self.assert_serves(monitor)

    def test_a_request_for_another_host(self):
        """A page whose name has been led here could read the figures of this machine."""
        monitor = self.start()
        port = monitor.page[1]
        for host in ("evil.example", f"evil.example:{port}", "192.0.2.1", "[2001:db8::1]",
                     "localhost.evil.example", "127.0.0.1.evil.example", "evil127.0.0.1",
                     "1127.0.0.1", "[::1", "[::1]x", "[127.0.0.1", "localhost:x",
                     "localhost:80:80", "127.0.0.1@evil.example", "0x7f000001", "", ":80"):
            for path in b"/", b"/events", b"/figures", b"/nothing":
                self.assert_refused(monitor, b"GET " + path + b" HTTP/1.1\r\nHost: "
                                    + host.encode() + b"\r\n\r\n", 421)
        self.assert_refused(monitor, b"GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n", 421)
        self.assert_refused(monitor, b"GET / HTTP/1.1\r\nHost: " + b"x" * 300 + b"\r\n", 400)
        for host in ("localhost", "LOCALHOST:80", "127.0.0.1", f"127.0.0.1:{port}",
                     "127.1.2.3:1", "[::1]", f"[::1]:{port}", "localhost:"):
            with self.subTest(host=host):
                answer = monitor.send(f"GET /figures HTTP/1.1\r\nHost: {host}\r\n"
                                      "Connection: close\r\n\r\n".encode())
                self.assertEqual(split(answer)[0], 200)

    def test_the_host_it_was_told_to_listen_on(self):
        name = socket.gethostname()
        for host, asked in (("0.0.0.0", "127.0.0.1"), (name, name), (name, name.upper())):
            with contextlib.suppress(OSError):
                socket.create_server((host, 0)).close()
                with self.start("--host", host) as monitor:
                    answer = monitor.send(b"GET / HTTP/1.1\r\nHost: " + asked.encode()
                                          + b":80\r\nConnection: close\r\n\r\n")
                    self.assertEqual(split(answer)[0], 200)
                    monitor.close()

    def test_no_other_page_may_use_what_is_answered(self):
        monitor = self.start()
        for path in b"/", b"/figures", b"/nothing", b"/events":
            with monitor.connect() as sock:
                sock.sendall(b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
                head = b""
                while b"\r\n\r\n" not in head:
                    head += sock.recv(1)
            headers = split(head)[1]
            self.assertIn("frame-ancestors 'none'", headers["content-security-policy"])
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertEqual(headers["cross-origin-resource-policy"], "same-origin")
            self.assertNotIn("access-control-allow-origin", headers)

    def test_a_request_to_speak_something_else_is_answered_and_is_the_last(self):
        monitor = self.start()
        answer = monitor.send(b"GET /x HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\n"
                              b"Upgrade: h2c\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        status, headers, body = split(answer)
        self.assertEqual((status, headers["connection"], body),
                         (404, "close", b"404 Not Found\n"))

    def test_the_figures_are_those_of_the_traffic(self):
        monitor = self.start()
        clients, messages, size = 10, 50, 1000
        with monitor.stream() as events, closing_all() as socks:
            first = read_events(events, 1)[0]
            self.assertEqual([first["connections"], first["bytes"]], [0, 0])
            for _ in range(clients):
                socks.append(monitor.connect_echo())
            for _ in range(messages):
                for sock in socks:
                    self.assertEqual(ask(sock, b"x" * size), b"x" * size)
            now = monitor.figures()
            self.assertEqual(now["connections"], clients)
            self.assertEqual(now["bytes"], clients * messages * size)
            self.assertEqual(sum(now["latency"]), clients * messages)
            self.assertGreaterEqual(now["pairs"], clients * messages)
            # The callback that asks has not been counted yet.
            self.assertGreaterEqual(now["callbacks"] + 1, now["pairs"])
            self.assertGreaterEqual(now["passes"], messages)
            self.assertLessEqual(now["longest"], now["calling"])
            self.assertLessEqual(now["waiting"] + now["calling"], now["up"] + 1)
            self.assertEqual((now["pages"], now["backend"]), (1, self.backend))
            # The page hears of it, too.
            last = first
            while last["bytes"] < clients * messages * size:
                later = read_events(events, 1)[0]
                self.assertGreater(later["up"], last["up"])
                last = later
        self.assertTrue(eventually(lambda: monitor.figures()["connections"] == 0))
        self.assertTrue(eventually(lambda: monitor.figures()["pages"] == 0))

    def test_many_echo_clients_that_close_anyhow(self):
        monitor = self.start()
        with closing_all() as socks:
            for i in range(300):
                socks.append(monitor.connect_echo())
                ask(socks[i], b"hello")
            self.assertEqual(monitor.figures()["connections"], 300)
            for sock in socks[::2]:
                support.reset(sock)
            self.assertTrue(eventually(lambda: monitor.figures()["connections"] == 150))
            for sock in socks[1::2]:
                self.assertEqual(ask(sock, b"hello"), b"hello")

    def test_an_echo_client_that_does_not_read_costs_one_buffer(self):
        """One that could would have the kernel keep tcp_rmem's most for it, 32 MiB in places."""
        monitor = self.start()
        with monitor.connect_echo(receive_buffer=4096) as sock:
            [sent] = support.fill([sock], b"x" * 30_000_000)
            self.assertLess(sent, 30_000_000)
            self.assert_serves(monitor)
            self.assertEqual(support.read_exactly(sock, sent), b"x" * sent)

    def test_more_pages_than_there_is_room_for(self):
        monitor = self.start()
        with closing_all() as socks:
            for i in range(CLIENTS_MAX):
                socks.append(monitor.stream())
                read_events(socks[i], 1)
            with monitor.connect() as sock:
                with contextlib.suppress(ConnectionError):
                    self.assertEqual(sock.recv(1), b"")
            with monitor.connect_echo() as sock:
                self.assertEqual(ask(sock, b"hello"), b"hello")
            for sock in socks:
                read_events(sock, 2)
            socks.pop().close()
            self.assertTrue(eventually(lambda: self.is_served(monitor)))

    @staticmethod
    def is_served(monitor):
        try:
            return monitor.send(b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")
        except ConnectionError:
            return False

    def test_a_slow_reader_of_events_is_hung_up_on_and_no_other(self):
        monitor = self.start("--timeout", TIMEOUT)
        with monitor.stream(receive_buffer=2048) as slow, monitor.stream() as quick:
            read_events(slow, 1)
            # What the kernel holds for it fills first, some hundred bytes an event.
            for pages in 2, 1:
                self.assertTrue(any(read_events(quick, 1)[0]["pages"] == pages
                                    for _ in range(EVENTS_MAX)))
            text = b""
            with contextlib.suppress(ConnectionError):
                text = read_to_end(slow)
            self.assertLess(len(text), 200_000)  # what waited for it was bounded
            self.assertEqual(read_events(quick, 1)[0]["pages"], 1)

    def test_slow_requests_are_hung_up_on(self):
        monitor = self.start("--timeout", TIMEOUT)
        start = time.monotonic()
        with monitor.connect() as silent, monitor.connect() as begun, \
                monitor.connect() as dripping:
            begun.sendall(b"GET / HTTP/1.1\r\n")
            self.assertEqual(split(self.drip(dripping))[0], 408)
            self.assertEqual(split(read_to_end(begun))[0], 408)
            self.assertEqual(read_to_end(silent), b"")
        self.assertGreaterEqual(time.monotonic() - start, float(TIMEOUT))
        self.assert_serves(monitor)

    def drip(self, sock):
        """A header that never ends, until there is an answer."""
        with contextlib.suppress(ConnectionError):
            sock.sendall(b"GET / HTTP/1.1\r\n")
            sock.settimeout(0.05)
            for _ in range(20 * PATIENCE):
                sock.sendall(b"X: y\r\n")
                with contextlib.suppress(TimeoutError):
                    return sock.recv(65536)
        self.fail("it takes whatever drips in")

    def test_descriptors_come_back(self):
        monitor = self.start("--timeout", TIMEOUT)
        before = monitor.descriptors()
        self.assert_serves(monitor)
        for _ in range(20):
            with closing_all() as socks:
                for _ in range(10):
                    socks += [monitor.connect(), monitor.connect_echo(), monitor.stream()]
                read_events(socks[-1], 1)
                support.reset(socks.pop())
        self.assertTrue(eventually(lambda: monitor.descriptors() == before))

    def test_a_signal_ends_it_with_pages_open(self):
        for signum in support.signal.SIGINT, support.signal.SIGTERM:
            monitor = self.start()
            with monitor.stream() as events, monitor.connect_echo() as sock:
                read_events(events, 1)
                self.assertEqual(ask(sock, b"hello"), b"hello")
                self.assertEqual(monitor.stop(signum), 0)
                self.assertEqual(sock.recv(1), b"")
            self.assertEqual(monitor.errors(), "")

    def test_the_command_line(self):
        kind = Kind("monitor", "monitor", self.backend)

        def run(*arguments):
            return subprocess.run(kind.command(*arguments), env=kind.environment(),
                                  text=True, capture_output=True, timeout=PATIENCE,
                                  stdin=subprocess.DEVNULL)

        for arguments in (["--port", "x"], ["--echo-port", "65536"], ["--timeout", "0"],
                          ["--backlog", "0"], ["--nonsense"], ["word"]):
            ended = run(*arguments)
            self.assertEqual((ended.returncode, ended.stdout), (2, ""))
            self.assertRegex(ended.stderr, r"\Amonitor: [^\n]+\n\Z")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            for arguments in (["-p", port, "-e", "0"], ["-p", "0", "-e", port]):
                ended = run(*arguments)
                self.assertEqual((ended.returncode, ended.stdout), (1, ""))
                self.assertRegex(ended.stderr,
                                 r"\Amonitor: [^\n]+ Address already in use\n\Z")
        self.assertRegex(run("--version").stdout, r"\Amonitor, selkie \d+\.\d+\.\d+\n\Z")
        self.assertTrue(run("--help").stdout.startswith("Usage: monitor "))


class BrowserTests(unittest.TestCase):
    """What a person sees."""

    @classmethod
    def setUpClass(cls):
        if os.environ.get("TEST_LEVEL", "quick") == "quick":
            raise unittest.SkipTest("a browser takes long: TEST_LEVEL=thorough")
        if chromium.PROGRAM is None:
            raise unittest.SkipTest("there is no chromium")

    def test_the_page_draws(self):
        with Monitor("uv") as monitor, chromium.Chromium() as browser:
            browser.show(1280, 800)
            url = f"http://127.0.0.1:{monitor.page[1]}/"
            browser.open(url)
            browser.wait_for("document.getElementById('state')?.textContent === 'live'")
            browser.wait_for("events.length > 2")  # so that there is something before
            with closing_all() as socks:
                for _ in range(5):
                    socks.append(monitor.connect_echo())
                    for _ in range(20):
                        ask(socks[-1], b"x" * 1000)
                self.look(browser)
            browser.wait_for("document.querySelector('[data-chart=connections] .value')"
                             ".textContent === '0'")
            for width, dark in (320, False), (390, False), (390, True), (1280, True):
                browser.show(width, 800, dark)
                self.assertLessEqual(
                    browser.evaluate("document.documentElement.scrollWidth"), width)
                self.assertFalse(browser.evaluate(OVERLAP), width)
                ground = browser.evaluate(
                    "getComputedStyle(document.body).backgroundColor")
                brightness = sum(map(int, re.findall(r"\d+", ground)[:3])) / 3
                self.assertEqual(brightness < 128, dark)
            for echo, command in [("127.0.0.1:7", "./run load --port 7"),
                                  ("[::1]:7", "./run load --host ::1 --port 7")]:
                self.assertEqual(browser.evaluate(COMMAND % echo), command)
            self.assertEqual(monitor.stop(), 0)
            browser.wait_for("document.getElementById('state').className === 'lost'")
            hosts = {address.split("/")[2] for address in browser.requested()}
            self.assertEqual(hosts, {f"127.0.0.1:{monitor.page[1]}"})

    def look(self, browser):
        """The figures of five clients that have sent twenty thousand bytes each."""
        browser.wait_for("document.querySelector('[data-chart=connections] .value')"
                         ".textContent === '5'")
        browser.wait_for("document.getElementById('answers').textContent === '100'")
        for chart in "connections", "bytes", "passes", "pairs", "busy", "longest":
            curve = browser.wait_for(
                f"document.querySelector('[data-chart={chart}] .curve')"
                ".getAttribute('d')")
            heights = {float(point.partition(",")[2]) for point in curve[1:].split("L")}
            self.assertTrue(all(0 <= height <= 80 for height in heights), curve)
            if chart in ("connections", "bytes", "passes"):
                self.assertGreater(len(heights), 1, chart)  # it is no flat line
        bars = browser.evaluate("[...document.querySelectorAll('.bar')]"
                                ".map(bar => +bar.getAttribute('height'))")
        self.assertEqual(len(bars), 15)
        self.assertEqual(max(bars), 152)
        complaints = browser.complaints()
        self.assertEqual(complaints, [])


for each in BACKENDS:
    name = f"MonitorTests_{each}"
    globals()[name] = type(name, (MonitorTests, unittest.TestCase),
                           {"backend": each, "__module__": __name__})


def setUpModule():
    if not (support.programs / "monitor").exists():
        raise unittest.SkipTest("there is no monitor: it needs libhttp-parser-dev")


if __name__ == "__main__":
    support.main()
