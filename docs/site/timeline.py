#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw the lessons' timelines of system calls (docs/timelines/*.svg).

    timeline.py --programs DIR [LESSON...]

where DIR holds the compiled demo programs.  Each program runs under strace on the stage
of docs/site/scenes.py, once in C and once in Python, and both logs become one picture: time
goes down, C is on the left, Python on the right, and calls that both make stand in one
row.  What was done to the program, or what it printed, goes across.  A call that slept
has a bar as long as what happened meanwhile; how long it was is written there.
"""
import argparse
import itertools
import re
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path

import drawing
from labels import WAITS, describe, plain
from scene_list import SCENES
from scenes import PATIENCE, SIDES, Stage
from strace import CALLS, Names, read_log

TIMELINES = Path(__file__).resolve().parents[1] / "timelines"
ASLEEP = 0.004  # seconds from which a call is drawn as one that waited
LONGEST_PATTERN = 6


class Tracer:
    """Puts strace before the commands of a scene; a log for each."""

    def __init__(self, directory, more_calls):
        self.directory = Path(directory)
        self.trace = ",".join([*CALLS, *more_calls])
        self.logs = []
        self.shown = {}  # by log: from when to when

    def begin(self):
        """What the newest program has done till now is not of interest."""
        self.shown[self.logs[-1]][0] = time.time()

    def end(self):
        """Nor what it does from now on."""
        self.shown[self.logs[-1]][1] = time.time()

    def command(self, command):
        log = self.directory / f"{len(self.logs)}.log"
        self.logs.append(log)
        self.shown[log] = [0, float("inf")]
        return ["strace", "-D", "-f", "--seccomp-bpf", "-ttt", "-T", "-s", "80",
                "-e", f"trace={self.trace}", "-o", str(log), *command]

    def read(self):
        """The calls of every log, once strace has written its end."""
        deadline = time.monotonic() + PATIENCE
        for log in self.logs:
            while not log.exists() or not self.is_whole(log.read_text()):
                if time.monotonic() > deadline:
                    sys.exit(f"{log}: strace has not ended")
                time.sleep(0.02)
            yield read_log(log.read_text().splitlines())

    @staticmethod
    def is_whole(text):
        begun = set(re.findall(r"^(\d+) ", text, re.M))
        ended = set(re.findall(r"^(\d+) .*\+\+\+ (?:exited|killed).*$", text, re.M))
        return bool(begun) and begun == ended


@dataclass
class Item:
    """What stands in a row on one side."""

    when: float
    kind: str  # "act", "call", "sleep" (it begins), "wake" (it is over), "outcome"
    text: str
    outcome: str = ""
    process: int = 0
    bars: int = 0  # how many processes there are beside the first
    seconds: float = 0
    count: int = 1
    call: object = None

    @property
    def key(self):
        """Equal on both sides for what is the same."""
        if self.kind == "act":
            return "act", re.sub(r"\d+(\.\d+)?", "N", self.text)
        return self.kind, self.text.partition("(")[0], self.process > 0


def printed_lines(calls, wanted):
    """What the program printed, line by line, as acts; only the lines that match."""
    rest = ""
    for call in calls:
        if call.name == "write" and call.arguments[0] == "1" and not call.error:
            text = call.arguments[1].strip(".")[1:-1]
            rest += text.encode().decode("unicode_escape")
            while "\n" in rest:
                line, _, rest = rest.partition("\n")
                if line.strip() and re.match(wanted, line):
                    yield Item(call.end, "act", line.strip())


def has_slept(call):
    """A call that a busy machine has held up is none that waited."""
    return call.seconds >= ASLEEP and plain(call.name) in WAITS and \
        call.error not in ("EAGAIN", "EINPROGRESS")


def items_of_calls(calls, hidden, begin=0, end=float("inf")):
    """Those that were still going on at `begin` and had begun at `end`."""
    names, processes = Names(), {}
    for call in calls:
        names.learn(call)
        process = processes.setdefault(call.pid, len(processes))
        said = describe(call, names)
        names.forget(call)
        if not said or plain(call.name) in hidden or call.end < begin or \
                call.start > end or call.name == "exit" and process == 0:
            continue
        text, outcome = said
        common = {"process": process, "call": call}
        if not has_slept(call):
            yield Item(call.start, "call", text, outcome, **common)
        else:
            yield Item(call.start, "sleep", text, **common)
            yield Item(call.end, "wake", text, outcome, seconds=call.seconds, **common)


def find(items, beginning, otherwise):
    """When there is the first item whose line begins so."""
    if not beginning:
        return otherwise
    return next(item.when for item in items
                if drawing.text_of(item).strip().startswith(beginning))


def cut(items, scene):
    """The part of a scene that is drawn; what sleeps at its beginning belongs to it."""
    first = find(items, scene.begin, next(
        (i.when for i in items if i.kind == "act"), 0))
    after = [item for item in items if item.when >= first]
    until = find(after, scene.until, float("inf"))
    last = find(after, scene.last, float("inf"))
    woken = {id(i.call) for i in after if i.kind == "wake"}
    kept = [i for i in items if first <= i.when < until and i.when <= last or
            i.kind == "sleep" and i.when < first and id(i.call) in woken]
    begun = {id(i.call) for i in kept if i.kind == "sleep"}
    return [i for i in kept if i.kind != "wake" or id(i.call) in begun]


def without_end(items):
    """After a wait that long a server has timed out and tidies up."""
    for i, item in enumerate(items):
        if item.kind == "wake" and item.seconds > 1:
            return items[:i + 1]
    return items


def repeats(keys, start):
    """(length, times) of the pattern that is repeated from `start`, or (1, 1)."""
    best = 1, 1
    for length in range(1, LONGEST_PATTERN + 1):
        pattern = keys[start:start + length]
        times = 1
        while keys[start + times * length:start + (times + 1) * length] == pattern:
            times += 1
        if times >= 3 and times * length > best[0] * best[1]:
            best = length, times
    return best


def merge(items):
    """Calls that are one row: the first with their number, and without what differs."""
    first = items[0]
    first.count = sum(item.count for item in items)
    if any(item.text != first.text for item in items):
        first.text = first.text.partition("(")[0] + "(…)"
    if any(item.outcome != first.outcome for item in items):
        first.outcome = ""


def merge_runs(items):
    """What a process does three times or more in a row, whatever others do meanwhile."""
    runs, current = [], {}
    for item in items:
        key = item.text.partition(",")[0], item.outcome.startswith("E")
        if item.kind == "act":
            current = {}
        elif item.kind != "call" or current.get(item.process, (0,))[0] != key:
            current[item.process] = key, [item]
            runs.append(current[item.process][1])
        else:
            current[item.process][1].append(item)
    gone = set()
    for run in runs:
        if len(run) >= 3:
            merge(run)
            gone |= {id(item) for item in run[1:]}
    return [item for item in items if id(item) not in gone]


def collapse(items):
    """Patterns of calls that come again and again, once, with their number."""
    keys = [(i.kind, i.process, i.text.partition("(")[0], not i.outcome.startswith("E"))
            if i.kind == "call" else (i.kind, id(i)) for i in items]
    at, kept = 0, []
    while at < len(items):
        length, times = repeats(keys, at)
        for k in range(at, at + length):
            merge(items[k:k + length * (times - 1) + 1:length])
            kept.append(items[k])
        at += length * times
    return kept


def record(number, side, programs):
    """The items of one side of a lesson, in their order."""
    scene = SCENES[number]
    with tempfile.TemporaryDirectory() as directory:
        tracer = Tracer(directory, scene.calls)
        with Stage(side, programs, tracer, scene.backend) as stage:
            scene.scene(stage)
            acts = [Item(when, "act", text) for when, text in stage.acts]
        logs = list(tracer.read())
    items = list(acts)
    for calls, log in zip(logs, tracer.logs):
        items += items_of_calls(calls, scene.hidden, *tracer.shown[log])
        if not acts:  # nobody drives it: its own lines lead through the picture
            items += printed_lines(calls, scene.lines)
    items.sort(key=lambda item: item.when)
    items = merge_runs(without_end(cut(items, scene)))
    bars = max(item.process for item in items)
    for item in items:
        item.bars = bars
    return list(spread(collapse(items)))


def spread(items):
    """An outcome that has no room beside its call gets a row of its own."""
    for item in items:
        yield item
        if item.kind == "call" and not drawing.has_room(item):
            yield replace(item, kind="outcome")


def segments(items):
    """Parts that begin with an act, and what was before the first."""
    parts = [[]]
    for item in items:
        if item.kind == "act":
            parts.append([])
        parts[-1].append(item)
    return parts


def align(left, right):
    """Pairs of items, one a row; None where only the other side has something."""
    matcher = SequenceMatcher(None, [i.key for i in left], [i.key for i in right], False)
    for _, i, i_end, j, j_end in matcher.get_opcodes():
        for a, b in itertools.zip_longest(left[i:i_end], right[j:j_end]):
            if a and b and a.key != b.key and "act" in (a.kind, b.kind):
                yield a, None
                yield None, b
            else:
                yield a, b


def make_rows(left, right):
    parts = segments(left), segments(right)
    leads = [[p[0].key for p in part[1:]] for part in parts]
    if leads[0] != leads[1]:
        return list(align(left, right))
    return [row for pair in zip(*parts) for row in align(*pair)]


def draw(number, programs):
    scene = SCENES[number]
    rows = make_rows(*(record(number, side, programs) for side in SIDES))
    svg = drawing.draw(rows, f"{number:02}", f"Lesson {number}: system calls in time")
    path = TIMELINES / f"{number:02}-{scene.name}.svg"
    path.write_text(svg)
    print(f"{path.name}: {len(rows)} rows, {len(svg)} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", type=Path, required=True, metavar="DIR",
                        help="where the compiled demo programs are")
    parser.add_argument("lessons", type=int, nargs="*", metavar="LESSON",
                        choices=[[], *SCENES])
    given = parser.parse_args()
    for number in given.lessons or SCENES:
        draw(number, given.programs.resolve())


if __name__ == "__main__":
    main()
