# SPDX-License-Identifier: MIT
"""The public headers, read: every comment with what it stands above, field by field.

The reference and the manual pages are both made from this, so the headers are their one
source.  A comment is its first paragraph, what is promised in detail, and a last
paragraph of fields in a fixed order (FIELDS).
"""
import re
from dataclasses import dataclass, field

import sources

HEADERS = ('selectors.h', 'reactor.h', 'compat.h', 'uv.h', 'debug.h', 'version.h')
FIELDS = ('Arguments', 'Returns', 'Errors', 'Owner', 'Thread', 'Python', 'From', 'Since')

BLOCK = re.compile(r'^/\*(?P<comment>.*?)\*/\n(?P<code>\S(?:[^\n]|\n(?!\n))*)', re.DOTALL | re.M)
LABEL = re.compile(rf'(?:(?<=\n)|(?<=  )|(?<=\A))(?:({"|".join(FIELDS[:-1])})\b:?|(Since))'
                   r'(?=[ ,])')
ERROR = re.compile(r'(?:^\s*|(?<=; ))(-E[A-Z]+(?:, -E[A-Z]+)*)(?=[\s;,.]|$)', re.M)


@dataclass
class Entry:
    """What stands below one comment."""

    header: str
    kind: str  # function, struct, typedef, enum, macro
    names: list
    code: str
    summary: str
    promise: list  # paragraphs
    fields: dict = field(default_factory=dict)

    @property
    def first_sentence(self):
        return re.split(r'(?<=[.:;])\s', ' '.join(self.summary.split()))[0].rstrip('.:;')


@dataclass
class Header:
    name: str
    title: str
    introduction: list
    entries: list


def uncomment(text):
    """A comment's lines without their stars."""
    lines = [re.sub(r'^ \* ?', '', line).rstrip() for line in text.strip('\n').splitlines()]
    return '\n'.join(lines).strip()


def split_fields(text):
    """The last paragraph as {field: text}; what comes before the first label is ''."""
    found = list(LABEL.finditer(text))
    parts = {'': text[:found[0].start()] if found else text}
    for label, following in zip(found, [*found[1:], None]):
        end = following.start() if following else len(text)
        parts[label[1] or label[2]] = text[label.end():end].strip(' ').rstrip()
    return {name: part for name, part in parts.items() if part.strip()}


def is_fields(text):
    return re.search(r'(?:^|  )(?:Errors|Owner|Thread|Since)\b', text, re.M) is not None


def split_comment(text):
    """(first paragraph, the others, fields)"""
    paragraphs = re.split(r'\n{2,}', uncomment(text))
    fields = {}
    if len(paragraphs) > 1 and is_fields(paragraphs[-1]):
        fields = split_fields(paragraphs.pop())
        # What stands there before the first label is one more paragraph.
        if '' in fields:
            paragraphs.append(fields.pop('').strip())
    return paragraphs[0], paragraphs[1:], fields


def kind_and_names(code):
    """What a declaration is, and the names that it declares; None: nothing to show."""
    if functions := re.findall(r'\bSEL_API\b[^;]*?\b(sel_\w+)\s*\(', code):
        return 'function', functions
    if macro := re.match(r'#define (\w+)|#if.*\n#define (\w+)', code):
        return 'macro', [macro[1] or macro[2]]
    if found := re.match(r'typedef (enum|struct) \{.*\} (\w+);', code, re.DOTALL):
        return found[1], [found[2]]
    if re.match(r'enum \{', code):
        return 'enum', []
    if found := re.match(r'struct (\w+) \{', code):
        return 'struct', [found[1]]
    if found := re.match(r'typedef .*?(\w+)\(', code):
        return 'typedef', [found[1]]
    if found := re.match(r'typedef struct (\w+) (\w+);', code):
        return 'opaque', [found[2]]
    return None


def path_of(name):
    path = f'include/selkie/{name}'
    return path if (sources.TOP / path).exists() else path + '.in'


def entries_of(name, text):
    for block in BLOCK.finditer(text):
        if found := kind_and_names(block['code']):
            kind, names = found
            yield Entry(name, kind, names, block['code'], *split_comment(block['comment']))


def read_header(name):
    text = sources.read(path_of(name))
    opening = re.search(r'^/\*\n \* selkie/.*?\*/$', text, re.DOTALL | re.M)
    introduction = uncomment(opening[0][2:-2])
    title, *paragraphs = re.split(r'\n{2,}', introduction)
    title = ' '.join(title.partition(' - ')[2].split()).rstrip('.')
    return Header(name, title, paragraphs, list(entries_of(name, text[opening.end():])))


def read_all():
    return [read_header(name) for name in HEADERS]


def errors_of(text):
    """[(codes, meaning)] of an `Errors:` field; text before the first code has codes ''."""
    text = text.lstrip(',: ')
    found = list(ERROR.finditer(text))
    lead = text[:found[0].start()] if found else text
    entries = [('', ' '.join(lead.split()).rstrip(':'))] if lead.strip(' ;,:\n') else []
    for code, following in zip(found, [*found[1:], None]):
        meaning = text[code.end():following.start() if following else len(text)]
        entries.append((code[1], ' '.join(meaning.split()).strip(' ;,.')))
    return entries


def prototype(entry, name):
    """One function's declaration, without SEL_API and on one line."""
    found = re.search(rf'SEL_API\s+([^;]*?\b{name}\s*\([^;]*\));', entry.code)
    return ' '.join(found[1].split())


def hands_over(entry, name):
    """Does a call take or give a pointer besides its selector?"""
    text = re.sub(r'(const )?sel_selector \*\w+', '', prototype(entry, name))
    return '*' in text

