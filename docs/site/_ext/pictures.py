# SPDX-License-Identifier: MIT
"""What was recorded from real runs: `transcript` and `timeline`, and other pictures.

    .. transcript:: NAME     docs/transcripts/NAME.txt, or a pair of NAME-c.txt and NAME-python.txt
       :lines: 1-12

    .. timeline:: NAME       docs/timelines/NAME.svg
       :player:              and what plays docs/timelines/NAME.json

       A caption.

    .. drawing:: NAME        docs/NAME.svg, the same

A picture goes into the page itself, where it takes the page's colours and speaks its
language (the words are the players', see player.py); who hears the page has a timeline's
rows as a table.  Where there is no HTML the caption has to do.
"""
import re
from html import escape, unescape

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

import listings
import player
import recording  # of docs/site, where player looks, too
import sources
import steps
from drawing import LABEL

WRITTEN = re.compile(r'<text(?: class="(\w)")? x="(\d+)" y="(\d+)">(.*?)</text>')
TEXT = re.compile(r'(?<=>)[^<>]+(?=</(?:text|title|desc)>)')


def chosen(text, lines):
    """`lines`, as 3-7 or 3-, counts from one."""
    if not lines:
        return text
    first, dash, last = lines.partition('-')
    end = None if dash and not last else int(last or first)
    return '\n'.join(text.splitlines()[int(first) - 1:end])


class Transcript(SphinxDirective):
    required_arguments = 1
    option_spec = {'lines': directives.unchanged_required}

    def block(self, name):
        try:
            text = sources.read(f'docs/transcripts/{name}.txt').rstrip()
        except sources.SourceError as error:
            raise self.error(str(error))
        self.env.note_dependency(str(sources.TOP / f'docs/transcripts/{name}.txt'))
        text = chosen(text, self.options.get('lines'))
        block = nodes.literal_block(text, text, language='text', classes=['transcript'])
        self.set_source_info(block)
        return block

    def run(self):
        name = self.arguments[0]
        if (sources.TOP / f'docs/transcripts/{name}.txt').exists():
            return [self.block(name)]
        return listings.pair(self.block(f'{name}-{side}') for side in ('c', 'python'))


def heard(svg):
    """The rows of a timeline, as a table that nobody sees."""
    rows = {}
    for kind, x, y, text in WRITTEN.findall(svg):
        if kind == 'h':
            continue
        row = rows.setdefault(int(y), ['', ''])
        if kind == 'a':
            row[:] = [text]
        else:
            row[int(x) >= LABEL[1]] = text
    lines = ''.join('<tr>' + ''.join(
        f'<td{" colspan=2" if len(row) == 1 else ""}>{text.strip()}</td>' for text in row)
        + '</tr>\n' for _, row in sorted(rows.items()))
    return ('<div class="visually-hidden"><table><tr><th>C</th><th>Python</th></tr>\n'
            f'{lines}</table></div>')


def phrase(english):
    """What a picture says, and what finds it; build.py puts it into the catalogue."""
    return english, re.compile('(.*)'.join(map(re.escape, english.split('{}'))))


PHRASES = [
    phrase("Lesson {}: system calls in time"),
    phrase("C on the left, Python on the right, time goes down. A long pale bar is a call that"
           " sleeps."),
    phrase("{}→ nothing"), phrase("{}→ the end"), phrase("{}→ nobody yet"),
    phrase("{}→ a thread"), phrase("{}→ a child"), phrase("{}: exited with {}"),
    phrase("{}: killed by{}"), phrase("{} comes"), phrase("its handler is over"),
    # of docs/pictures/chain.svg
    phrase("From socket to accept"),
    phrase("The server calls socket, bind, listen and accept; a client calls socket and"
           " connect. The client waits in the kernel's queue, the backlog, until accept takes"
           " it out as a new descriptor. Both send and receive, both close, and the server goes"
           " back to accept."),
    phrase("server"), phrase("client"), phrase("a descriptor, the listener"),
    phrase("its address: port 1234"), phrase("now clients may queue"), phrase("the backlog"),
    phrase("the first in the queue,"), phrase("as a new descriptor"),
    phrase("and back to accept(), for the next client")]


def in_language(svg, say):
    """A picture in the words of say(); what calls and programs say stays as it is."""
    teller = steps.Teller(say)

    def said(found):
        text = unescape(found[0])
        if act := recording.act_of(text):
            return escape(teller.act(act).rstrip('.。'), quote=False)
        for english, pattern in PHRASES:
            if match := pattern.fullmatch(text):
                return escape(say(english, *match.groups()), quote=False)
        return found[0]
    return TEXT.sub(said, svg)


class Picture(SphinxDirective):
    """An SVG file inside the page, and its caption below."""

    required_arguments = 1
    has_content = True
    place = ''
    node = nodes.raw

    def words(self, svg):
        """What the picture's title does not say, in HTML."""
        return ''

    def in_language(self, svg):
        if (self.env.config.language or 'en') == 'en':
            return svg
        self.env.note_dependency(str(player.CHINESE))
        return in_language(svg, player.translator(self.env))

    def run(self):
        name = f'docs/{self.place}{self.arguments[0]}.svg'
        try:
            text = sources.read(name)
        except sources.SourceError as error:
            raise self.error(str(error))
        self.env.note_dependency(str(sources.TOP / name))
        picture = nodes.container(classes=['picture', type(self).__name__.lower()])
        svg = text[text.index('<svg'):]
        svg = self.in_language(re.sub(r'<!--.*?-->', '', svg, flags=re.DOTALL))
        picture += self.node('', svg + self.words(svg), format='html')
        self.set_source_info(picture[0])
        caption = nodes.container(classes=['caption'])
        self.state.nested_parse(self.content, self.content_offset, caption)
        if caption.children:
            picture += caption
        return [picture]


class Timeline(Picture):
    place = 'timelines/'
    option_spec = {'player': directives.flag}

    def words(self, svg):
        return heard(svg)

    def run(self):
        found = super().run()
        if 'player' not in self.options:
            return found
        return [nodes.container('', player.player(self.env, self.arguments[0]), *found,
                                classes=['played'])]


class Drawing(Picture):
    place = 'pictures/'


def setup(app):
    app.add_directive('transcript', Transcript)
    app.add_directive('timeline', Timeline)
    app.add_directive('drawing', Drawing)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
