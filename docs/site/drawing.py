# SPDX-License-Identifier: MIT
"""Rows of items as an SVG picture that is read on a telephone and in the dark.

360 units wide, so that a small screen shows it at its own size, a large one a little
larger; the text is text, in the colour of the page's.  Bars are at the outer edges, a
process beside the other; what goes across stands in the middle.
"""
import textwrap
from xml.sax.saxutils import escape

WIDTH, ROW, TOP = 360, 15, 26
LARGEST = 460  # pixels
LABEL = {0: 14, 1: 186}  # where a side's text begins
BAR, STEP, BARS = 6, 8, 5  # a bar's width, from one to the next, how many beside another
CHARACTERS, ACROSS = 25, 46  # what fits into a line, also of a wide font
INDENT = "  "  # of the lines that go on
COLOURS = ("#4a90c8", "#c8862a")

STYLE = """\
.tl{{font:10.5px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;\
fill:currentColor}}
.tl .h{{font-weight:bold}} .tl .o{{opacity:.72}}
.tl .a{{font:bold 10.5px system-ui,'DejaVu Sans',sans-serif;text-anchor:middle}}
.tl .r{{stroke:currentColor;stroke-opacity:.3;stroke-dasharray:2 3}}
.tl .s{{fill-opacity:.4}}
.tl .c0{{fill:{0}}} .tl .c1{{fill:{1}}}
""".format(*COLOURS)


def duration(seconds):
    return f"{seconds * 1000:.0f} ms"


def number_of(item):
    """Which child or thread it is."""
    return f"{item.process}: " if item.process else ""


def text_of(item):
    outcome = f" → {item.outcome}" if item.outcome else ""
    if item.kind == "wake":
        return f"{INDENT}{number_of(item)}{duration(item.seconds)}{outcome}"
    count = f" ×{item.count}" if item.count > 1 else ""
    return number_of(item) + item.text + count + outcome


def broken(text, width):
    """Lines that are no longer than `width`, broken at a blank, else after a bar."""
    lines, least = [], len(INDENT) + 2  # what it is set in by, and an arrow
    while len(text) > width:
        ends = (text.rfind(" ", 0, width + 1), text.rfind("|", 0, width) + 1)
        at = next((end for end in ends if end > least), width)
        lines.append(text[:at].rstrip())
        text = INDENT + text[at:].lstrip()
    return [*lines, text]


def lines_of(item):
    """What is written of it, on as many lines as it takes: nothing is cut."""
    text = text_of(item)
    if item.kind == "act":
        return textwrap.wrap(text, ACROSS)
    if len(text) <= room_of(item):
        return [text]
    call, arrow, outcome = text.partition(" → ")
    below = broken(f"{INDENT}→ {outcome}", room_of(item)) if arrow else []
    return broken(call, room_of(item)) + below


def room_of(item):
    """Beside the bars of all processes of its side."""
    return CHARACTERS - (min(item.bars, BARS - 1) * STEP + 5) // 6


class Picture:
    def __init__(self):
        self.shapes, self.texts = [], []
        self.asleep = {}  # a call that sleeps: the row in which it began

    def bar(self, side, process, row, rows, name):
        step = STEP * min(process, BARS - 1)
        x = step if side == 0 else WIDTH - BAR - step
        y, height = TOP + row * ROW + 2, rows * ROW - 4
        self.shapes.append(f'<rect class="{name}c{side}" x="{x}" y="{y}" width="{BAR}"'
                           f' height="{height}" rx="2"/>')

    def label(self, side, row, item):
        x = LABEL[side] + (STEP * min(item.bars, BARS - 1) if side == 0 else 0)
        y = TOP + row * ROW + 11
        text = item.line.replace(INDENT, "\u2003")
        name = ' class="o"' if item.kind in ("wake", "more") else ""
        self.texts.append(f'<text{name} x="{x}" y="{y}">{escape(text)}</text>')

    def item(self, side, row, item):
        if item.kind == "sleep":
            self.asleep[side, id(item.call)] = row
        elif item.kind == "wake":
            first = self.asleep.pop((side, id(item.call)))
            self.bar(side, item.process, first, row - first + 1, "s ")
        elif item.kind == "call":
            self.bar(side, item.process, row, 1, "")
        self.label(side, row, item)

    def across(self, row, item):
        y = TOP + row * ROW
        if item.kind == "act":
            self.shapes.append(f'<path class="r" d="M{LABEL[0]} {y + 0.5}H{WIDTH - 14}"/>')
        self.texts.append(f'<text class="a" x="{WIDTH // 2}" y="{y + 11}">'
                          f'{escape(item.line)}</text>')

    def end(self, rows):
        """What slept when the picture was cut."""
        for side, call in self.asleep:
            first = self.asleep[side, call]
            self.bar(side, 0, first, rows - first, "s ")


def draw(rows, name, title):
    """An SVG of rows: pairs of an item of C and one of Python, each may be None."""
    picture = Picture()
    for row, pair in enumerate(rows):
        if pair[0] is not None and pair[0].is_across:
            picture.across(row, pair[0])
            continue
        for side, item in enumerate(pair):
            if item is not None and item.is_across:
                picture.across(row, item)
            elif item is not None:
                picture.item(side, row, item)
    picture.end(len(rows))
    height = TOP + len(rows) * ROW + 6
    heads = "".join(f'<text class="h" x="{LABEL[side]}" y="14">{text}</text>'
                    for side, text in enumerate(("C", "Python")))
    identity = f"timeline-{name}"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" class="tl timeline" role="img"'
        f' viewBox="0 0 {WIDTH} {height}" width="{LARGEST}"'
        ' style="max-width:100%;height:auto"'
        f' aria-labelledby="{identity}-title {identity}-desc">',
        f'<title id="{identity}-title">{escape(title)}</title>',
        f'<desc id="{identity}-desc">C on the left, Python on the right, time goes down. '
        "A long pale bar is a call that sleeps.</desc>",
        f"<style>{STYLE}</style>", heads, *picture.shapes, *picture.texts, "</svg>", ""])
