# SPDX-License-Identifier: MIT
"""What is shown of a run, one thing after the other, and how C's and Python's stand beside
each other: docs/site/timeline.py draws it, docs/site/steps.py plays it.
"""
import itertools
import re
from dataclasses import dataclass
from difflib import SequenceMatcher

import drawing
from labels import WAITS, describe, plain
from strace import Names

ASLEEP = 0.004  # seconds from which a call is shown as one that waited


@dataclass
class Item:
    """What stands in a row on one side."""

    when: float
    kind: str  # "act", "call", "sleep" (it begins), "wake" (it is over);
    # what goes on on another line: "across" of an act, "more" of the others
    text: str
    outcome: str = ""
    line: str = ""  # what is drawn of it in this row
    process: int = 0
    bars: int = 0  # how many processes there are beside the first
    seconds: float = 0
    count: int = 1
    call: object = None  # or the act
    state: object = None  # what there is after it, where that is looked at

    @property
    def key(self):
        """Equal on both sides for what is the same."""
        if self.is_across:
            return self.kind, re.sub(r"\d+(\.\d+)?", "N", self.text)
        return self.kind, self.text.partition("(")[0], self.process > 0

    @property
    def is_across(self):
        return self.kind in ("act", "across")


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
            if a and b and a.key != b.key and (a.is_across or b.is_across):
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
