# SPDX-License-Identifier: MIT
"""What the chat's server and client do with bytes before a person sees them.

A line never holds more than its limit, however long the one is that comes in.  The C
side of this file is demo/chat/chat_text.c.
"""


class Line:
    """A line on its way in."""

    def __init__(self, limit):
        self.limit = limit  # what goes beyond it is dropped as it comes
        self.clear()

    def clear(self):
        self.text = bytearray()
        self.too_long = False

    def take(self, data):
        """Take bytes up to the end of the line.  Returns the rest, and whether the
        line has come to its end; it is there until clear().
        """
        part, newline, rest = data.partition(b"\n")
        if len(part) > self.limit - len(self.text):
            self.too_long = True
        self.text = bytearray() if self.too_long else self.text + part
        return rest, bool(newline)


def is_harmful(code):
    return (code < 0x20 or 0x7f <= code < 0xa0 or code in (0x61c, 0x200e, 0x200f)
            or 0x2028 <= code <= 0x202e or 0x2066 <= code <= 0x2069)


def clean(char):
    if 0xd800 <= ord(char) < 0xe000:  # what surrogateescape makes of a wrong byte
        return "\ufffd"
    if char == "\t":
        return " "
    return "?" if is_harmful(ord(char)) else char


def clean_text(data):
    """Make text of any bytes: what is not UTF-8 becomes U+FFFD, byte by byte; what moves
    the cursor, rings, or turns the direction of writing becomes a question mark, a tab
    a space.
    """
    return "".join(map(clean, data.decode("utf-8", "surrogateescape"))).encode()
