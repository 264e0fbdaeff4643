# SPDX-License-Identifier: MIT
"""The headers' plain prose as reStructuredText.

Names that the headers declare become links where a page can link, and stay plain in a
manual page; what is C or a system call's name becomes literal or a manual page's name.
"""
import itertools
import re
import textwrap

LITERAL = re.compile(r'`([^`]+)`')
WORD = re.compile(
    r'(?P<function>\bsel_\w+(?:\([^()]*\)|\b))'
    r'|(?P<page>\b[a-z_]\w*\(\d\))'
    r'|(?P<code>\*?\bret_\w+|\bsizeof \*\w+|\buv_\w+(?:\([^()]*\))?|\b[a-z_][\w.]*\(\)'
    r'|(?<!\w)-E[A-Z]+\b|\b[A-Z]+(?:_[A-Z]+)+_?(?!\w)|\bNULL\b|\bn[rwx]\b'
    r'|\b[rwx]list\b|<selkie/\w+\.h>)')
ENTRY = re.compile(r'(\S+)\s{2,}(\S.*)')
SPECIAL = re.compile(r'([*|\\]|\w_(?!\w))')


def split(paragraph):
    """[(is it set off by its indentation?, text)] of a paragraph.

    Where a line begins with `Word.  ` or is indented four, something new begins.
    """
    lines = paragraph.splitlines()
    if all(line.startswith('  ') for line in lines):
        return [(True, paragraph)]
    pieces = []
    for line in lines:
        is_deep = line.startswith('    ')
        if not pieces or is_deep != pieces[-1][0] or re.match(r'[A-Z][a-z]+\.  ', line):
            pieces.append((is_deep, []))
        pieces[-1][1].append(line)
    return [(is_deep, '\n'.join(piece)) for is_deep, piece in pieces]


class Markup:
    """Turns text into reStructuredText; `names` is {name: role} of what can be linked."""

    def __init__(self, names):
        self.names = names

    def name(self, text):
        bare, bracket, arguments = text.partition('(')
        if bare not in self.names:
            return f'``{text}``'
        if arguments in ('', ')'):
            return self.link(bare)
        return self.call(text, bare)

    def link(self, name):
        return f':{self.names[name]}:`{name}`'

    def call(self, text, name):
        """A call with its arguments."""
        return f':{self.names[name]}:`{text} <{name}>`'

    def word(self, found):
        if found['page']:
            return f':manpage:`{found["page"]}`'
        return self.name(found[0])

    def plain(self, text):
        parts, at = [], 0
        for found in WORD.finditer(text):
            parts += [SPECIAL.sub(self.escape, text[at:found.start()]), self.word(found)]
            at = found.end()
        return ''.join([*parts, SPECIAL.sub(self.escape, text[at:])])

    @staticmethod
    def escape(found):
        text = found[0]
        return f'{text[:-1]}\\{text[-1]}'

    def inline(self, text):
        """One paragraph, on one line."""
        pieces = LITERAL.split(' '.join(text.split()))
        marked = [self.plain(piece) if i % 2 == 0 else self.name(piece)
                  for i, piece in enumerate(pieces)]
        return ''.join(marked)

    def blocks(self, paragraphs):
        """Paragraphs, and indented blocks between them, as lines."""
        pieces = [piece for paragraph in paragraphs for piece in split(paragraph)]
        for is_indented, group in itertools.groupby(pieces, key=lambda piece: piece[0]):
            texts = [text for _, text in group]
            if is_indented:
                yield from self.indented(textwrap.dedent('\n\n'.join(texts)).splitlines())
                yield ''
                continue
            for text in texts:
                yield self.inline(text)
                yield ''

    def indented(self, lines):
        """A table of names and meanings, or a piece of code."""
        if not ENTRY.fullmatch(lines[0]):
            yield '.. code-block:: c'
            yield ''
            yield from ('   ' + line for line in lines)
            return
        terms = []
        for line in lines:
            if found := ENTRY.fullmatch(line):
                terms.append([found[1], found[2]])
            else:
                terms[-1][1] += ' ' + line.strip()
        for term, meaning in terms:
            yield f'``{term}``'
            yield f'   {self.inline(meaning)}'
