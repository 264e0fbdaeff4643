# SPDX-License-Identifier: MIT
"""What the chat server must make of a line, worked out apart from it: Python's own
decoder says what is UTF-8.
"""
import codecs

LINE_LIMIT = 1024
TOO_LONG = b"* a line has 1024 bytes at most: yours was dropped"
# The marks and isolates that turn the direction of writing, and the separators of lines.
TURNING = [0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)]
HARMFUL = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), *TURNING], "?")
HARMFUL[ord("\t")] = " "

NASTY = [
    b"\0", b"\0\0\0\0", b"\t", b"\x07", b"\x1b[2J", b"\x1b]0;title\x07", b"\x7f", b"\r",
    b"\x80", b"\xff", b"\xfe\xff", b"\xc0\x80", b"\xc3", b"\xc3\xa9", b"\xe2\x82",
    b"\xe2\x82\xac", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xf0\x9f\x98",
    b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80", b"\xc2\x9b2J", b"\xe2\x80\xae", b"\xe2\x80\xa8",
    b"\xe2\x81\xa6", b"\xd8\x9c", b"%s%n%d", b"/nick", b"exit", b"<b>", b" ", b"plain",
]


codecs.register_error("one byte", lambda error: ("\ufffd", error.start + 1))


def cleaned(line):
    """A line as the others must see it: what is no character is replaced byte by byte."""
    return line.decode("utf-8", "one byte").translate(HARMFUL).encode()


def nasty_line(rng, longest=LINE_LIMIT):
    """Any bytes but a newline, which are said, not obeyed."""
    parts = rng.choices([*NASTY, rng.randbytes(30)], k=rng.randrange(longest // 3 + 1))
    return b"." + b"".join(parts).replace(b"\n", b"")[:longest - 1]
