#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write the lessons' transcripts (docs/transcripts/*.txt) from real runs.

    transcript.py --programs DIR [LESSON...]

where DIR holds the compiled demo programs.  A file is written anew only if the run gave
something else in what stays the same from run to run; to have new times, remove it first.
A run that has times in it is repeated until the machine was at rest meanwhile, or until two
in a row give the same figures; on a busy one `chrt -f 50` in front of all this helps.
test/python/test_lesson_pages.py compares the files with runs.
"""
import argparse
import re
import sys
from pathlib import Path

import quiet
from scene_list import SCENES
from scenes import SIDES, Stage

TRANSCRIPTS = Path(__file__).resolve().parents[1] / "transcripts"


def play(number, side, programs):
    """The lines of a lesson's transcript."""
    with Stage(side, programs) as stage:
        SCENES[number].transcript(stage)
        return stage.lines


def figures(lines):
    """The numbers in a run's lines, but for its command."""
    return [float(number) for line in lines[1:]
            for number in re.findall(r"\d+(?:\.\d+)?", line)]


def record(number, side, programs):
    """The lines of a run that is worth showing."""
    scene = SCENES[number]
    before = []

    def make():
        nonlocal before
        watch = quiet.Watch()
        lines = play(number, side, programs)
        before, last = figures(lines), before
        is_same = quiet.are_alike(before, last)
        disturbed = watch.complaint() if scene.timed and not is_same else None
        return lines, scene.complaint(lines) or disturbed

    return quiet.made_at_rest(f"lesson {number}, {side}", make)


def path_of(number, side):
    scene = SCENES[number]
    return TRANSCRIPTS / f"{number:02}-{scene.name}{'' if scene.both else '-' + side}.txt"


def differs(number, lines, path):
    comparable = SCENES[number].comparable
    old = path.read_text().splitlines() if path.exists() else None
    return old is None or comparable(old) != comparable(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", type=Path, required=True, metavar="DIR",
                        help="where the compiled demo programs are")
    parser.add_argument("lessons", type=int, nargs="*", metavar="LESSON",
                        choices=[[], *SCENES])
    given = parser.parse_args()
    for number in given.lessons or SCENES:
        for side in SIDES:
            lines = record(number, side, given.programs.resolve())
            path = path_of(number, side)
            if side == SIDES[0] or not SCENES[number].both:
                if differs(number, lines, path):
                    path.write_text("\n".join(lines) + "\n")
                    print(f"{path.name}: written")
            elif differs(number, lines, path):
                sys.exit(f"lesson {number}: C and Python give different transcripts")


if __name__ == "__main__":
    main()
