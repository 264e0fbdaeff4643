# SPDX-License-Identifier: MIT
"""The benchmarks that were published, and which of their texts can be translated.

    .. figures::             docs/benchmarks/figures.rst, where there is one

    .. all-figures::         a long table, hidden until it is asked for

What is translated has to hold for the next figures, too.  So a text has `{}` in place of
each number, and in a table of each contender; once Sphinx has put the translation into
the page, they come back.  Where no word is left, there is nothing to translate.
"""
import re

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

import exercises
import sources

NUMBER = r'(?<![\w.-])\d+(?:[.,]\d+)*(?:e[+-]?\d+)?(?![\w-])'
CONTENDER = (r'(?<![\w/-])(?:selkie/\w+|libuv|libevent|libev|sd-event|selectors|asyncio|epoll'
             r'|poll|select)(?![\w-])')
CODE = re.compile(r'``.+?``|\w+_\w+|\b(?:CPU|ns|p\d+)\b')
PLACE = re.compile(r'\{(\d*)\}')


def is_value(paragraph):
    """In a table the words are above and on the left; of goals, on the right as well."""
    cell = paragraph.parent
    if not isinstance(cell, nodes.entry) or not isinstance(cell.parent.parent, nodes.tbody):
        return False
    table = cell.parent.parent.parent.parent
    return cell.parent.index(cell) > 0 and 'goals' not in table['classes']


def take_out(paragraph):
    """The figures go to a place of their own; the words remain as what is looked up."""
    is_cell = isinstance(paragraph.parent, nodes.entry)
    figure = re.compile(f'{NUMBER}|{CONTENDER}' if is_cell else NUMBER)
    paragraph['figures'] = figure.findall(paragraph.rawsource)
    paragraph.rawsource = figure.sub('{}', paragraph.rawsource)
    has_words = re.search('[A-Za-z]', CODE.sub('', paragraph.rawsource))
    paragraph['translatable'] = bool(has_words) and not is_value(paragraph)


def put_back(paragraph):
    """In a translation `{1}` is the second figure, wherever it stands."""
    figures = paragraph.attributes.pop('figures')
    rest = iter(figures)
    for text in list(paragraph.findall(nodes.Text)):
        filled = PLACE.sub(lambda place: figures[int(place[1])] if place[1] else next(rest),
                           text.astext())
        text.parent.replace(text, nodes.Text(filled))


class Figures(SphinxDirective):
    """What `./run bench --publish` wrote, if it did, below the page's own text."""

    def run(self):
        name = 'docs/benchmarks/figures.rst'
        self.env.note_dependency(str(sources.TOP / name))
        if not (sources.TOP / name).exists():
            return []
        element = nodes.section()
        element.document = self.state.document  # which gives its titles a source
        lines = StringList(sources.read(name).splitlines(), source=name)
        nested_parse_with_titles(self.state, lines, element)
        for paragraph in element.findall(nodes.paragraph):
            take_out(paragraph)
        return element.children


class AllFigures(exercises.Answer):
    summary = 'All figures'


class PutBack(SphinxTransform):
    default_priority = 21  # Sphinx translates at 20

    def apply(self, **options):
        for paragraph in self.document.findall(nodes.paragraph):
            if 'figures' in paragraph:
                put_back(paragraph)


def setup(app):
    app.add_directive('figures', Figures)
    app.add_directive('all-figures', AllFigures)
    app.add_transform(PutBack)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
