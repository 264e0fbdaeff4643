# SPDX-License-Identifier: MIT
"""The changes that can be made to a C file, one at a time, and making one.

No parser: words, as far as the house style needs them.  Only what is in a function's body is
changed, and no declaration is taken out.  Not each change gives a program; the compiler says.
"""

import collections
import re

WORD = re.compile(r'''
    (?P<blank> ^[ \t]*\#(?: \\\n | /\*.*?\*/ | [^\n] )*
             | \n | [^\S\n]+ | //[^\n]* | /\*.*?\*/ )
  | (?P<name> [A-Za-z_]\w* )
  | (?P<number> \.?\d(?: [eE][+-] | [\w.] )* )
  | (?P<text> "(?: \\. | [^"\\] )*" | '(?: \\. | [^'\\] )*' )
  | (?P<sign> -> | \+\+ | -- | <<= | >>= | << | >> | && | \|\| | [-+*/%&|^<>=!]= | . )
''', re.VERBOSE | re.DOTALL | re.MULTILINE)

# What a word is exchanged for.  A comparison: turned round, and moved by one.
EXCHANGED = {
    '==': ['!='], '!=': ['=='], '<': ['>=', '<='], '<=': ['>', '<'], '>': ['<=', '>='],
    '>=': ['<', '>'], '&&': ['||'], '||': ['&&'], '+': ['-'], '-': ['+'], '/': ['*'],
    '&': ['|'], '|': ['&'], '<<': ['>>'], '>>': ['<<'], '+=': ['-='], '-=': ['+='],
    '|=': ['&='], '&=': ['|='], '++': ['--'], '--': ['++'],
    'true': ['false'], 'false': ['true'], 'break': ['continue'], 'continue': ['break'],
}
DROPPED = {'-', '!', '~'}  # before an operand
HEADED = {'if', 'for', 'while', 'switch'}
STAYS = HEADED | {'do', 'else', 'case', 'default', 'static', 'const', 'struct', 'union',
                  'enum', '_Static_assert'}
WHOLE = re.compile(r'(0|[1-9]\d*|0[xX][\da-fA-F]+)([uUlL]*)')

Word = collections.namedtuple('Word', 'kind text start end')
# Of `file`, text[start:end] becomes `new`; it is on `line`, in `function`, that begins on
# the line `first`.
Change = collections.namedtuple('Change', 'file function first line start end new')


def words_of(text):
    """All but blanks, comments and what is the preprocessor's."""
    return [Word(found.lastgroup, found[0], *found.span())
            for found in WORD.finditer(text) if found.lastgroup != 'blank']


def in_a_line(text):
    """What the compiler sees of it: by that a change is told from others."""
    return ' '.join(word.text for word in words_of(text))


def closing(words, opening):
    """Where what is opened there is closed."""
    depth = 0
    for i in range(opening, len(words)):
        depth += (words[i].text in ('(', '[', '{')) - (words[i].text in (')', ']', '}'))
        if depth == 0:
            return i
    raise ValueError('something is never closed')


def functions(words):
    """The word that is a function's name, and its body with both braces."""
    i, name = 0, None
    while i < len(words):
        end = closing(words, i) if words[i].text in ('(', '{') else i
        if words[i].text == '(':
            name = words[i - 1]
        elif words[i].text == '{' and words[i - 1].text == ')':
            yield name, words[i:end + 1]
        i = end + 1


def statements(body):
    """Where one begins, in the body; what is in brackets is none."""
    opened, start = [], 1
    for i, word in enumerate(body[1:], 1):
        if i == start:
            yield i
        if word.text in ('(', '['):
            opened.append(body[i - 1].text)
        elif word.text in (')', ']'):
            if opened.pop() in HEADED:
                start = i + 1
        elif not opened and (word.text in ('{', '}', ';', 'else', 'do') or (
                word.text == ':' and body[start].text in ('case', 'default'))):
            start = i + 1


def is_declaration(body, start):
    """Two names side by side, or with asterisks between."""
    i = start + 1
    while body[i].text == '*':
        i += 1
    return body[start].kind == 'name' and body[i].kind == 'name'


def end_of(body, start):
    """Where the statement's semicolon is; None where it has none of its own."""
    i = start
    while body[i].text != ';':
        if body[i].text == '}':
            return None
        i = closing(body, i) + 1 if body[i].text in ('(', '[', '{') else i + 1
    return i


def dropped(body, start):
    """What a statement becomes: nothing; and what a function returns: 0."""
    first = body[start]
    end = end_of(body, start)
    if end is None or first.text in STAYS or not (
            first.kind == 'name' or first.text in ('*', '(', '++', '--')):
        return
    if first.text == 'return':
        if end > start + 1 and body[start + 1].text != '0':
            yield body[start + 1].start, body[end].start, '0'
        if end + 1 == len(body) - 1:
            return
    elif is_declaration(body, start) and first.text != 'goto':
        return
    yield first.start, body[end].start, ''


def negated(body, start, text):
    """The condition of an if or a while is negated."""
    if body[start].text in ('if', 'while'):
        opening, end = body[start + 1].start, body[closing(body, start + 1)].end
        yield opening, end, f'(!{text[opening:end]})'


def exchanged(body, i):
    """What else a word may be."""
    word, before = body[i], body[i - 1]
    if word.kind == 'number':
        found = WHOLE.fullmatch(word.text)
        value = int(found[1], 0) if found else None
        for number in [] if value is None else [value + 1, value - 1][:1 + (value > 0)]:
            yield word.start, word.end, f'{number}{found[2]}'
        return
    has_left = before.kind == 'number' or before.text in (')', ']') or (
        before.kind == 'name' and before.text not in ('return', 'case'))
    if word.text in DROPPED and not has_left:
        yield word.start, word.end, ''
    elif word.text not in ('-', '+', '&') or has_left:
        for new in EXCHANGED.get(word.text, []):
            yield word.start, word.end, new


def changes_of(file, text):
    """All that can be made; what is taken out leaves its lines, which keep their numbers."""
    for name, body in functions(words_of(text)):
        first = text.count('\n', 0, name.start) + 1
        found = [made for i in range(1, len(body) - 1) for made in exchanged(body, i)]
        for start in statements(body):
            found += [*dropped(body, start), *negated(body, start, text)]
        for start, end, new in found:
            new += '\n' * (text.count('\n', start, end) - new.count('\n'))
            line = text.count('\n', 0, start) + 1
            yield Change(file, name.text, first, line, start, end, new)


def make(change, text):
    return text[:change.start] + change.new + text[change.end:]


def lines_of(change, text):
    """The lines that it changes: as they were, as they are."""
    begin = text.rfind('\n', 0, change.start) + 1
    end = text.find('\n', change.end)
    return text[begin:end], make(change, text)[begin:end + len(change.new)
                                               - (change.end - change.start)]
