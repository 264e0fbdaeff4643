# SPDX-License-Identifier: MIT
"""The reference: `.. header:: selectors.h` shows all that a public header declares.

Everything comes from the header's comments (headers.py), which the manual pages are made
from, too (docs/site/manual.py).
"""
import re

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

import headers
import sources
from markup import Markup
from words import say

ROLES = {'function': 'c:func', 'macro': 'c:macro', 'enum': 'c:type', 'struct': 'c:type',
         'typedef': 'c:type', 'opaque': 'c:type'}
ENUMERATOR = re.compile(r'\b(SEL_\w+)(?: = (\d+))?,?(?:\s*/\* (.*?) \*/)?')
MEMBER = re.compile(r'^    ([^;]+);(?:\s*/\* (.*?) \*/)?$', re.M)


def names_and_roles():
    """{name: role} of all that the reference declares."""
    names = {'sel_selector': 'c:type'}
    for entry in (e for header in headers.read_all() for e in header.entries):
        names.update((name, ROLES[entry.kind]) for name in entry.names)
        if entry.kind == 'enum':
            names.update((found[1], 'c:enumerator') for found in enumerators(entry))
    return names


def enumerators(entry):
    body = entry.code[entry.code.index('{'):entry.code.index('}')]
    return list(ENUMERATOR.finditer(body))


def indent(lines, depth=1):
    return ['   ' * depth + line if line else '' for line in lines]


class Writer:
    """Entries as lines of reStructuredText."""

    def __init__(self, env):
        self.env = env
        self.markup = Markup(names_and_roles())

    def description(self, entry):
        return [self.markup.inline(entry.summary), '', *self.markup.blocks(entry.promise)]

    def errors(self, text):
        lines = []
        for codes, meaning in headers.errors_of(text):
            if codes:
                codes = ', '.join(f'``{code}``' for code in codes.split(', '))
            lines.append(f'| {codes} {self.markup.inline(meaning)}'.rstrip())
        return lines

    def fields(self, entry):
        given = dict(entry.fields)
        if entry.kind == 'function' and 'Owner' not in given and not any(
                headers.hands_over(entry, name) for name in entry.names):
            given['Owner'] = say(self.env, 'nothing changes hands')
        for label in headers.FIELDS:
            if label not in given:
                continue
            text = given[label].rstrip('.') if label in ('Since', 'From') else given[label]
            body = (self.errors(text) if label == 'Errors'
                    else [self.markup.inline(text.lstrip(': '))])
            yield f':{say(self.env, label)}:'
            yield from indent(body)
        yield ''

    def function(self, entry):
        first, *others = (headers.prototype(entry, name) for name in entry.names)
        yield f'.. c:function:: {first}'
        yield from (' ' * 16 + other for other in others)
        yield ''
        yield from indent([*self.description(entry), *self.fields(entry)])

    def macro(self, entry):
        name = re.search(r'#define (\w+(?:\([^)]*\))?)', entry.code)[1]
        yield f'.. c:macro:: {name}'
        yield ''
        yield from indent(self.description(entry))

    def typedef(self, entry):
        code = ' '.join(entry.code.split()).removeprefix('typedef ').rstrip(';')
        yield f'.. c:type:: {code}'
        yield ''
        yield from indent(self.description(entry))

    def opaque(self, entry):
        yield f'.. c:type:: {entry.names[0]}'
        yield ''
        yield from indent(self.description(entry))

    def struct(self, entry):
        yield f'.. c:struct:: {entry.names[0]}'
        yield ''
        yield from indent(self.description(entry))
        for member in MEMBER.finditer(entry.code):
            yield from indent([f'.. c:member:: {member[1]}', ''])
            if member[2]:
                yield from indent([self.markup.inline(member[2]), ''], 2)

    def enum(self, entry):
        """Constants stand beside their type, not in it, so that each is found by its name."""
        if entry.names:
            yield f'.. c:enum:: {entry.names[0]}'
            yield ''
            yield from indent(self.description(entry))
        else:
            yield from self.description(entry)
        for found in enumerators(entry):
            value = f' = {found[2]}' if found[2] else ''
            yield f'.. c:enumerator:: {found[1]}{value}'
            yield ''
            if found[3]:
                yield from indent([self.markup.inline(found[3]), ''])

    def entry(self, entry):
        return getattr(self, entry.kind)(entry)


class HeaderDirective(SphinxDirective):
    """The page of one header, below a title that the page has."""

    required_arguments = 1

    def run(self):
        name = self.arguments[0]
        path = headers.path_of(name)
        self.env.note_dependency(str(sources.TOP / path))
        header = headers.read_header(name)
        writer = Writer(self.env)
        lines = list(writer.markup.blocks(header.introduction))
        for entry in header.entries:
            lines += [*writer.entry(entry), '']
        section = nodes.Element()
        text = StringList(lines, source=path)
        self.state.nested_parse(text, self.content_offset, section)
        return section.children


class FunctionList(SphinxDirective):
    """All functions with what they do in a sentence, header by header."""

    def run(self):
        writer, lines = Writer(self.env), []
        for header in headers.read_all():
            lines += [f'**<selkie/{header.name}>**: {writer.markup.inline(header.title)}', '']
            for entry in header.entries:
                for name in entry.names if entry.kind == 'function' else ():
                    lines += [f':c:func:`{name}`',
                              f'   {writer.markup.inline(entry.first_sentence)}']
            lines.append('')
        container = nodes.container(classes=['functions'])
        self.state.nested_parse(StringList(lines, source='include/selkie'),
                                self.content_offset, container)
        return [container]


def setup(app):
    app.add_directive('header', HeaderDirective)
    app.add_directive('functions', FunctionList)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
