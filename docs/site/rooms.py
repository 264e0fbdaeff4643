#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who includes whom in lib/: the rooms of the library as a picture.

    rooms.py            writes docs/pictures/rooms.svg anew

A row for each room, highest first, and a column; a mark where the row's files include the
column's, with how many of them do.  A room uses those below it, so all marks are on one
side of the diagonal; test/docs/test_rooms.py sees to that.
"""
import re
from collections import Counter
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
LIB = TOP / "lib"
PICTURE = TOP / "docs" / "pictures" / "rooms.svg"
ROOMS = ["open", "reactor", "uv", "backend", "selector", "compat", "debug", "base"]
INCLUDE = re.compile(r'^#include "(.+)"$', re.MULTILINE)
CELL, LEFT, HEAD, RIGHT = 34, 78, 70, 26

STYLE = """\
.rooms{font:12px system-ui,'DejaVu Sans',sans-serif;fill:currentColor}
.rooms .grid{stroke:currentColor;stroke-opacity:.2}
.rooms .self{fill-opacity:.12}
.rooms .mark{fill:#4a90c8}
.rooms .count{fill:#fff;font-size:11px;font-weight:bold;text-anchor:middle}
.rooms .name{text-anchor:end}
"""


def room_of(path):
    """A file's, as it is included; open.c knows every room and is one by itself."""
    return path.partition("/")[0] if "/" in path else "open"


def includes():
    """(a file, a file that it includes), both as they are named in an #include."""
    for path in sorted(LIB.rglob("*.[ch]")):
        name = path.relative_to(LIB).as_posix()
        for included in INCLUDE.findall(path.read_text()):
            if included != "config.h":  # Meson's
                yield name, included


def uses():
    """{(room, another that it includes): by how many of its files}"""
    files = {(name, room_of(included)) for name, included in includes()}
    return Counter((room_of(name), used) for name, used in files if room_of(name) != used)


def draw():
    edge = LEFT + CELL * len(ROOMS)
    size = edge + RIGHT
    height = HEAD + CELL * len(ROOMS) + 4
    shapes = []
    for i, room in enumerate(ROOMS):
        x, y = LEFT + i * CELL, HEAD + i * CELL
        middle = f"{x + CELL // 2 + 4},{HEAD - 8}"
        shapes += [
            f'<rect class="self" x="{x}" y="{y}" width="{CELL}" height="{CELL}"/>',
            f'<text class="name" x="{LEFT - 8}" y="{y + CELL // 2 + 4}">{room}</text>',
            f'<text transform="translate({middle}) rotate(-45)">{room}</text>',
        ]
    for i in range(len(ROOMS) + 1):
        x, y = LEFT + i * CELL, HEAD + i * CELL
        shapes += [
            f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{edge}" y2="{y}"/>',
            f'<line class="grid" x1="{x}" y1="{HEAD}" x2="{x}" y2="{height - 4}"/>',
        ]
    for (room, used), count in sorted(uses().items()):
        x = LEFT + ROOMS.index(used) * CELL + CELL // 2
        y = HEAD + ROOMS.index(room) * CELL + CELL // 2
        shapes += [f'<circle class="mark" cx="{x}" cy="{y}" r="11"/>',
                   f'<text class="count" x="{x}" y="{y + 4}">{count}</text>']
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" class="rooms" viewBox="0 0 {size} {height}"'
        f' style="max-width:{size}px" role="img">',
        "<title>Which room of lib/ includes which</title>",
        f"<style>{STYLE}</style>", *shapes, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(draw())
