#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw the lessons' timelines of system calls (docs/timelines/*.svg), and record in all
detail what the pages' players show (docs/timelines/*.json).

    timeline.py [--programs DIR] [LESSON...]

where DIR holds the compiled demo programs.  Each program runs under strace on the stage
of docs/site/scenes.py, once in C and once in Python, and both logs become one picture: time
goes down, C is on the left, Python on the right, and calls that both make stand in one
row.  What was done to the program, or what it printed, goes across.  A call that slept
has a bar as long as what happened meanwhile; how long it was is written there.  A run in
which the machine held up a call that can't sleep is made once more.
"""
import argparse
import itertools
import tempfile
from dataclasses import replace
from pathlib import Path

import drawing
import quiet
import recording
import steps
from items import Item, cut, items_of_calls, make_rows, printed_lines, without_end
from labels import WAITS, plain
from replay import Inconsistent
from scene_list import SCENES
from scenes import SIDES, Stage
from tracer import Tracer

TIMELINES = Path(__file__).resolve().parents[1] / "timelines"
HELD_UP = 0.03  # seconds that nothing takes which does not wait
LONGEST_PATTERN = 6


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


def held_up(calls):
    """What the machine has kept too long; None: nothing."""
    slow = [call for call in calls if call.seconds >= HELD_UP
            and plain(call.name) not in (*WAITS, "signal", "exit")]
    return f"{slow[0].name}() took {slow[0].seconds * 1000:.0f} ms" if slow else None


def play(number, side, programs):
    """All items of a run that is made for the picture, and what is wrong with it."""
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
    return items, held_up(itertools.chain(*logs))


def end_of(side, scene):
    """When the last happens that is shown; a pause of the machine's must not be taken for
    the wait with which a server ends.
    """
    items = cut(list(steps.items_of(side, scene))[1:], scene)
    shown = without_end(items)
    lost = items[len(shown):]
    if lost and (scene.last or scene.until or any(item.kind == "act" for item in lost)):
        raise Inconsistent(f"{shown[-1].text} took {shown[-1].seconds} seconds")
    return shown[-1].when


def record(scene, programs):
    """Both sides of a run, and what is wrong with it: where the machine held something up,
    what was noted first may have been second, and does not follow from what was before.
    """
    sides = recording.record(scene, programs)
    try:
        for side in sides.values():
            recording.end(side, end_of(side, scene))
    except Inconsistent as error:
        return sides, str(error)
    return sides, None


def record_soundly(scene, programs):
    return quiet.made_at_rest(scene.name, lambda: record(scene, programs))


def recorded(number, side):
    """The same of a run that docs/timelines has: what a person did, and the calls."""
    scene = SCENES[number]
    shown = steps.items_of(recording.load(number, scene)[side], scene)
    return [item for item in shown
            if item.kind != "start" and not steps.is_answer(item, scene)]


def arrange(items, scene):
    """Those that are drawn, in their order."""
    items.sort(key=lambda item: item.when)
    items = merge_runs(without_end(cut(items, scene)))
    bars = max(item.process for item in items)
    for item in items:
        item.bars = bars
    return list(spread(collapse(items)))


def spread(items):
    """A row for each line that an item needs."""
    for item in items:
        item.line, *more = drawing.lines_of(item)
        yield item
        for line in more:
            yield replace(item, kind="across" if item.is_across else "more", line=line)


def svg_of(number, items):
    scene = SCENES[number]
    rows = make_rows(*(arrange(of_side, scene) for of_side in items))
    return drawing.draw(rows, f"{number:02}", f"Lesson {number}: system calls in time")


def draw(number, programs):
    """Draw a lesson's picture; what its page plays is recorded first."""
    scene = SCENES[number]
    if scene.plays and programs:
        recording.save(number, scene, record_soundly(scene, programs))
    if scene.plays:
        items = [recorded(number, side) for side in SIDES]
    else:
        items = [quiet.made_at_rest(f"lesson {number}, {side}",
                                    lambda: play(number, side, programs)) for side in SIDES]
    svg = svg_of(number, items)
    path = TIMELINES / f"{number:02}-{scene.name}.svg"
    path.write_text(svg)
    print(f"{path.name}: {len(svg)} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", type=Path, metavar="DIR",
                        help="where the compiled demo programs are; without, only what is "
                             "recorded is drawn again")
    parser.add_argument("lessons", type=int, nargs="*", metavar="LESSON",
                        choices=[[], *SCENES])
    given = parser.parse_args()
    for number in given.lessons or SCENES:
        if given.programs:
            draw(number, given.programs.resolve())
        elif SCENES[number].plays:
            draw(number, None)


if __name__ == "__main__":
    main()
