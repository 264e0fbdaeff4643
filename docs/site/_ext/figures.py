# SPDX-License-Identifier: MIT
"""The benchmarks that were published, and which of their texts can be translated.

    .. figures::             docs/benchmarks/figures.rst, where there is one

    .. plot:: NAME           docs/benchmarks/NAME.svg, a picture

    .. all-figures::         a long table, hidden until it is asked for

What is translated has to hold for the next figures, too.  So a text has `{}` in place of
each number, and in tables and plots of each contender; once Sphinx has put the translation
into the page, they come back.  Where no word is left, there is nothing to translate.
"""
import re

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

import exercises
import pictures
import sources

NUMBER = r'(?<![\w.-])\d+(?:[.,]\d+)*(?:e[+-]?\d+)?(?![\w-])'
CONTENDER = (r'(?<![\w/-])(?:selkie/\w+|libuv|libevent|libev|sd-event|selectors|asyncio|epoll'
             r'|poll|select)(?![\w-])')
SENTENCE, LABEL = re.compile(NUMBER), re.compile(f'{NUMBER}|{CONTENDER}')
CODE = re.compile(r'``.+?``|\w+_\w+|\b(?:CPU|ns|p\d+)\b')
PLACE = re.compile(r'\{(\d*)\}')


def has_words(text):
    return re.search('[A-Za-z]', CODE.sub('', text)) is not None


def is_value(paragraph):
    """In a table the words are above and on the left; of goals, on the right as well."""
    cell = paragraph.parent
    if not isinstance(cell, nodes.entry) or not isinstance(cell.parent.parent, nodes.tbody):
        return False
    table = cell.parent.parent.parent.parent
    return cell.parent.index(cell) > 0 and 'goals' not in table['classes']


def take_out(paragraph):
    """The figures go to a place of their own; the words remain as what is looked up."""
    is_label = isinstance(paragraph.parent, (nodes.entry, nodes.container))
    figure = LABEL if is_label else SENTENCE
    paragraph['figures'] = figure.findall(paragraph.rawsource)
    paragraph.rawsource = figure.sub('{}', paragraph.rawsource)
    paragraph['translatable'] = has_words(paragraph.rawsource) and not is_value(paragraph)


def put_back(paragraph):
    """In a translation `{1}` is the second figure, wherever it stands."""
    figures = paragraph.attributes.pop('figures')
    rest = iter(figures)
    for text in list(paragraph.findall(nodes.Text)):
        filled = PLACE.sub(lambda place: figures[int(place[1])] if place[1] else next(rest),
                           text.astext())
        text.parent.replace(text, nodes.Text(filled))


class plot(nodes.raw, addnodes.translatable):
    """A picture whose labels are texts of the page."""

    labels = re.compile(r'(?<=<text>)[^<]+|(?<=<title>)[^<]+')

    def preserve_original_messages(self):
        """The picture has them."""

    def extract_original_messages(self):
        texts = [LABEL.sub('{}', label) for label in self.labels.findall(self.astext())]
        return list(dict.fromkeys(filter(has_words, texts)))

    def apply_translated_message(self, original, translated):
        def translate(label):
            is_it = LABEL.sub('{}', label[0]) == original
            return translated.format(*LABEL.findall(label[0])) if is_it else label[0]

        self[0] = nodes.Text(self.labels.sub(translate, self.astext()))


class Plot(pictures.Picture):
    place = 'benchmarks/'
    node = plot


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
    app.add_node(plot, html=(lambda self, node: self.visit_raw(node), None))
    app.add_directive('figures', Figures)
    app.add_directive('plot', Plot)
    app.add_directive('all-figures', AllFigures)
    app.add_transform(PutBack)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
