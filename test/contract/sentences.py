# SPDX-License-Identifier: MIT
"""The sentences of the public headers' comments, each with what it is about.

A comment is made of blocks: paragraphs, labelled entries (`Errors:`), list entries that
begin with an error or a setting, and listings.  A sentence never reaches from one block
into the next.  A listing is one sentence.
"""

import collections
import pathlib
import re

INCLUDE = pathlib.Path(__file__).resolve().parent.parent.parent / 'include'

# What it is about is what is declared after the comment, or before it on its line.
Sentence = collections.namedtuple('Sentence', 'about text')

# Where a name comes from, not what it does.
POINTERS = re.compile(r'(?:Python|From|Since)\b(?=:| \d)')
LABEL = re.compile(r'(?:Arguments|Returns|Errors|Owner|Thread|Python|From)\b:|'
                   r'(?:Returns|Since) |(?:Errors|Threads|Backends)\.  ?')
ENTRY = re.compile(r'(?:-E[A-Z]+\b|[A-Z]+_[A-Z]+=)')
LISTING = 4  # spaces before its lines
# A full stop and two spaces end a sentence; at the end of a line what follows tells.  The
# errors and the labels that share a line are sentences of their own.
END = re.compile(r'(?<=[.?])(?: {2,}|\n(?=[A-Z`(]|\w+_))|'
                 r';\s+(?=-E[A-Z]+\b)|\s+(?=Since \d)')
NO_END = re.compile(r'(?:\b(?:e\.g|i\.e|etc|cf|vs)|\.\.|^(?:Errors|Threads|Backends))\.$')
DECLARATION = re.compile(
    r'(?:typedef\s+(?:struct|enum)\s*\{.*?\}\s*(\w+);|typedef[^;{]*?\b(\w+)\s*(?:\(|;)|'
    r'struct\s+(\w+)\s*\{|enum\s*\{\s*(\w+)|#define\s+(\w+)|[^;{#]*?\b(sel_\w+)\s*\()',
    re.DOTALL)


def headers():
    """The public headers' paths, by their names as users know them."""
    paths = [*INCLUDE.rglob('*.h'), *INCLUDE.rglob('*.h.in')]
    return {str(p.relative_to(INCLUDE)).removesuffix('.in'): p for p in sorted(paths)}


def lines_of(comment):
    """A comment's lines without its frame."""
    inner = comment[2:-2].split('\n')
    rest = [re.sub(r'^\s*\* ?', '', line).rstrip() for line in inner[1:]]
    return [inner[0].strip(), *rest]


class Blocks:
    """The blocks of one comment; each is (is a listing, text)."""

    def __init__(self, lines):
        self.found = []
        self.fresh = True  # after an empty line
        self.indent = 0    # of the list entry that is on
        for line in lines:
            if line.strip():
                self.add(line)
            self.fresh = not line.strip()

    def add(self, line):
        indent, text = len(line) - len(line.lstrip()), line.strip()
        is_entry = indent > 0 and ENTRY.match(text)
        in_listing = bool(self.found) and self.found[-1][0] and indent >= LISTING
        if in_listing or (self.fresh and indent >= LISTING and not is_entry):
            self.begin(in_listing, True, text)
        elif is_entry:
            self.begin(self.leads(), False, text)
            self.indent = indent
        elif self.fresh or LABEL.match(text) or indent < self.indent:
            self.begin(False, False, text)
            self.indent = 0
        else:
            self.found[-1][1].append(text)

    def begin(self, goes_on, is_listing, text):
        if goes_on:
            self.found[-1][1].append(text)
        else:
            self.found.append((is_listing, [text]))

    def leads(self):
        """Does the list that begins here go on with a sentence before it?"""
        if self.indent > 0 or not self.found:
            return False
        before = self.found[-1][1]
        return before[-1][-1].isalnum() and not before[0].startswith('Errors:')


def blocks(lines):
    return [(is_listing, '\n'.join(text)) for is_listing, text in Blocks(lines).found]


def split(text):
    """The sentences of one block."""
    parts, start = [], 0
    for end in END.finditer(text):
        if NO_END.search(text[:end.start()]):
            continue
        parts.append(text[start:end.start()])
        start = end.end()
    parts.append(text[start:])
    return [' '.join(part.split()) for part in parts if part.strip()]


def declared_after(text, end):
    match = DECLARATION.match(text[end:].lstrip())
    return next((name for name in match.groups() if name), '') if match else ''


def about(text, start, end):
    """The name a comment belongs to: on its own line before it, or what follows it."""
    before = text[text.rfind('\n', 0, start) + 1:start]
    words = re.findall(r'\w+', before)
    if words:
        return words[-1] if '=' not in before else words[0]
    return declared_after(text, end)


def extract(text, header):
    """All sentences of a header, in order, the pointers apart."""
    found = []
    for comment in re.finditer(r'/\*.*?\*/', text, re.DOTALL):
        if 'SPDX-License-Identifier' in comment[0]:
            continue
        name = about(text, *comment.span()) if found else header
        for is_listing, block in blocks(lines_of(comment[0])):
            for sentence in [' '.join(block.split())] if is_listing else split(block):
                found.append(Sentence(name or header, sentence))
    return found


def promises(sentences):
    return [s for s in sentences if not POINTERS.match(s.text)]
