# SPDX-License-Identifier: MIT
"""docs/site/timeline.py: what it reads out of strace's log, and what it draws of it.

The log is made here: a small program under strace, whose calls are known.  Where strace
may not trace, the log below stands for it; the committed pictures are looked at in any
case.  Run as python3 test_timeline.py [unittest's arguments].
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from xml.etree import ElementTree

DOCS = Path(__file__).resolve().parents[2] / "docs"
sys.path.insert(0, str(DOCS / "site"))
sys.dont_write_bytecode = True

import drawing  # noqa: E402
import timeline  # noqa: E402
from labels import describe  # noqa: E402
from scene_list import SCENES  # noqa: E402
from strace import CALLS, Names, read_log, split_arguments  # noqa: E402

SLEEP = 0.05
PROGRAM = f"""
import os, socket, time
a, b = socket.socketpair()
child = os.fork()
if child == 0:
    a.close()
    time.sleep({SLEEP})
    b.send(b"answer")
    b.recv(64)  # the end: SIGCHLD in the parent's recv() would make it EINTR
    os._exit(3)
b.close()
os.write(1, b"the child works\\n")
a.recv(64)
a.close()
os.waitpid(child, 0)
"""
SVG = "{http://www.w3.org/2000/svg}"
LARGEST = 30000  # bytes

LOG = r"""
10 100.000000 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 3 <0.000010>
10 100.000100 listen(3, 5) = 0 <0.000010>
10 100.000200 accept4(3, NULL, NULL, SOCK_CLOEXEC) = 4 <0.020000>
10 100.030000 recvfrom(4,  <unfinished ...>
11 100.040000 sendto(9, "a, \"b\" (c", 9, 0, NULL, 0) = 9 <0.000010>
10 100.090000 <... recvfrom resumed>"hello\n", 64, 0, NULL, NULL) = 6 <0.060000>
10 100.100000 epoll_wait(5, 0x7ffe, 64, -1) = -1 EINTR (Interrupted) <0.010000>
10 100.110000 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER} ---
10 100.120000 close(4) = 0 <0.000010>
10 100.130000 read(4, "a file now", 10) = 10 <0.000010>
10 100.140000 exit_group(0) = ?
10 100.150000 +++ exited with 0 +++
""".splitlines()


def strace_works():
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-f", "-o", os.devnull, "true"], timeout=30,
                          stderr=subprocess.DEVNULL).returncode == 0


class Reading(unittest.TestCase):
    def test_every_line_of_the_log(self):
        calls = read_log(LOG)
        self.assertEqual([call.name for call in calls], [
            "socket", "listen", "accept4", "recvfrom", "sendto", "epoll_wait", "signal",
            "close", "read", "exit_group", "exit"])
        received = calls[3]  # cut in two by the line of another process
        self.assertEqual(received.arguments[:2], ["4", '"hello\\n"'])
        self.assertAlmostEqual(received.seconds, 0.06)
        self.assertEqual(calls[4].arguments[1], r'"a, \"b\" (c"')
        self.assertEqual(calls[5].error, "EINTR")

    def test_what_strace_restarts_is_interrupted(self):
        line = "10 1.0 select(0, NULL, NULL, NULL, NULL) = ? ERESTARTNOHAND (x) <0.1>"
        self.assertEqual(read_log([line])[0].error, "EINTR")

    def test_arguments(self):
        self.assertEqual(split_arguments('3, [{fd=4, events=IN}], "a, b", {x=1, y=2}'),
                         ["3", "[{fd=4, events=IN}]", '"a, b"', "{x=1, y=2}"])
        self.assertEqual(split_arguments(""), [])

    def test_names_and_labels(self):
        names, said = Names(), []
        for call in read_log(LOG):
            names.learn(call)
            said.append(describe(call, names))
            names.forget(call)
        self.assertEqual(said[2:4], [("accept(listener)", "A"),
                                     ("recv(A)", '"hello\\n"')])
        self.assertIsNone(said[4])  # nobody knows descriptor 9
        self.assertEqual(said[7], ("close(A)", ""))
        self.assertIsNone(said[8])  # 4 is no longer A

    @unittest.skipUnless(strace_works(), "strace can't trace here")
    def test_a_program_of_ours(self):
        with tempfile.TemporaryDirectory() as directory:
            tracer = timeline.Tracer(directory, ["wait4"])
            subprocess.run(tracer.command([sys.executable, "-c", PROGRAM]), timeout=60,
                           stdout=subprocess.DEVNULL, check=True)
            calls, = tracer.read()
        items = list(timeline.items_of_calls(calls, ()))
        texts = [item.text for item in items]
        self.assertIn("socketpair()", texts)
        self.assertLess(texts.index("socketpair()"), texts.index("fork()"))
        woken, = (one for one in items if one.kind == "wake" and one.text == "recv(a1)")
        self.assertEqual(woken.outcome, '"answer"')
        # It may have taken long enough to be drawn as a sleep and its end.
        sent = next(item for item in items if item.text.startswith("send(b1"))
        self.assertGreaterEqual(sent.call.end, woken.call.start)
        self.assertEqual((woken.process, sent.process), (0, 1))
        self.assertEqual([item.outcome for item in items if item.text == "waitpid()"][-1],
                         "exit 3")
        self.assertEqual([item.text for item in timeline.printed_lines(calls, "")],
                         ["the child works"])


def item(when, kind, text, outcome="", call=None, seconds=0.0):
    return timeline.Item(when, kind, text, outcome, call=call, seconds=seconds)


class Drawing(unittest.TestCase):
    def test_rows(self):
        """Acts are shared, equal calls stand in one row."""
        left = [item(1, "act", "A connects"), item(2, "call", "accept(l)", "A"),
                item(3, "act", "A ends"), item(4, "call", "close(A)")]
        right = [item(1, "act", "A connects"), item(2, "call", "accept(l)", "A"),
                 item(2.5, "call", "ioctl(A)"), item(3, "act", "A ends"),
                 item(4, "call", "close(A)")]
        rows = [tuple(one and one.text for one in row)
                for row in timeline.make_rows(left, right)]
        self.assertEqual(rows, [("A connects", "A connects"), ("accept(l)", "accept(l)"),
                                (None, "ioctl(A)"), ("A ends", "A ends"),
                                ("close(A)", "close(A)")])

    def test_what_is_repeated_is_counted(self):
        calls = [item(i, "call", f"send(s{i})") for i in range(10)]
        calls += [item(10 + i, "call", "recv(A)", "EAGAIN") for i in range(500)]
        calls += [item(600, "call", "recv(A)", '"x"')]
        collapsed = timeline.collapse(timeline.merge_runs(calls))
        self.assertEqual([(one.text, one.count) for one in collapsed],
                         [("send(…)", 10), ("recv(A)", 500), ("recv(A)", 1)])

    def test_a_sleep_spans_what_happened_meanwhile(self):
        sleeper = object()
        column = [item(1, "sleep", "recv(A)", call=sleeper), item(2, "act", "B connects"),
                  item(3, "wake", "recv(A)", '"x"', sleeper, 0.301)]
        svg = drawing.draw([(one, one) for one in timeline.spread(column)], "00", "a <title>")
        root = ElementTree.fromstring(svg)
        self.assertEqual(root.find(f"{SVG}title").text, "a <title>")
        bars = [one for one in root.iter(f"{SVG}rect")]
        self.assertEqual([float(bar.get("height")) for bar in bars],
                         [3 * drawing.ROW - 4] * 2)
        self.assertIn("301 ms", svg)

    def test_no_line_is_cut(self):
        """What has no room beside the bars goes on below."""
        asked = item(1, "call", "epoll_ctl(MOD A, IN|PRI|OUT)")
        asked.bars = 4
        told = item(2, "wake", "epoll_wait(∞)", "sock:IN|HUP sock2:IN|HUP", seconds=0.05)
        act = item(3, "act", "child 1: process 20943, its parent 20936, "
                             "threads 20943 and 20946")
        rows = list(timeline.spread([asked, told, act]))
        self.assertEqual([(row.kind, row.line.strip()) for row in rows], [
            ("call", "epoll_ctl(MOD A,"), ("more", "IN|PRI|OUT)"), ("wake", "50 ms"),
            ("more", "→ sock:IN|HUP"), ("more", "sock2:IN|HUP"),
            ("act", "child 1: process 20943, its parent 20936,"),
            ("across", "threads 20943 and 20946")])

    def test_a_word_too_long_for_a_line(self):
        self.assertEqual(drawing.broken("a" * 30, 12),
                         ["a" * 12, "  " + "a" * 10, "  " + "a" * 8])

    def test_lines_of_an_act_stand_alone(self):
        """Beside the second line of what goes across there is no call."""
        act = item(1, "act", "w " * 40)
        left = list(timeline.spread([act, item(2, "call", "close(A)")]))
        rows = timeline.make_rows(left, [item(2, "call", "close(A)")])
        self.assertEqual(sum(one is None or two is None for one, two in rows), len(left) - 1)

    def test_committed_pictures(self):
        for number, scene in SCENES.items():
            with self.subTest(lesson=number):
                svg = (DOCS / "timelines" / f"{number:02}-{scene.name}.svg").read_text()
                root = ElementTree.fromstring(svg)
                self.assertLess(len(svg), LARGEST)
                names = {one.get("id") for one in root.iter() if one.get("id")}
                self.assertEqual(set(root.get("aria-labelledby").split()), names)
                self.assertGreater(len(list(root.iter(f"{SVG}text"))), 10)
                self.assertNotRegex(svg, r"(?i)<script|<image|href=")
                self.assertIn("currentColor", svg)
                for text in root.iter(f"{SVG}text"):
                    # Of data the beginning is shown; "(…)" is what differs between calls.
                    self.assertNotRegex(text.text, '…(?![")])')
                    wide = drawing.ACROSS if text.get("class") == "a" else drawing.CHARACTERS
                    self.assertLessEqual(len(text.text), wide)

    def test_no_call_is_traced_twice(self):
        self.assertEqual(len(CALLS), len(set(CALLS)))
        for scene in SCENES.values():
            self.assertFalse(set(scene.calls) & set(CALLS))
            self.assertTrue(re.fullmatch(r"[a-z-]+", scene.name))


if __name__ == "__main__":
    unittest.main()
