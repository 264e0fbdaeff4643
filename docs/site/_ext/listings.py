# SPDX-License-Identifier: MIT
"""Listings from the files that are built and run: `listing`, `side-by-side`, `:source:`.

    .. listing:: FILE                .. side-by-side:: FILE.c FILE.py
       :take: NAME...                   :c: NAME...        :python: NAME...
       :part: MARK                      :c-part: MARK      :python-part: MARK

Without an option the file is shown whole.  What a listing shows is looked up by
sources.py, and a name that is not there is an error.  With `:from: OLD.c OLD.py` a pair
shows what differs from those files instead.

A pair is two tabs; a wide window shows both (_static/selkie.css).  No listing scrolls: a
line that is too long goes on below, set in a little more than it begins.
"""
import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from pygments.formatters import HtmlFormatter
from sphinx import addnodes
from sphinx.highlighting import PygmentsBridge
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx_inline_tabs._impl import TabContainer

import sources


class Lines(HtmlFormatter):
    """Each line is an element that knows how many blanks it begins with.

    The line's end stands behind it, so that what is copied is the file's text.
    """

    def wrap(self, source, *rest):  # of an older Pygments: the file
        return super().wrap(map(self.line, source), *rest)

    @staticmethod
    def line(part):
        is_code, html = part
        if not is_code:
            return part
        blanks = re.match(' *', re.sub('<[^>]*>', '', html)).end()
        style = f' style="--indent: {blanks}"' if blanks else ''
        html = re.sub(r'^(<span class="w"> +</span>| +)', r'<span class="indent">\1</span>',
                      html.rstrip())
        return is_code, f'<span class="line"{style}>{html}</span>\n'


def link_to(env, name, text=None):
    """A link to a copy of the file, which goes along with the site."""
    env.note_dependency(str(sources.TOP / name))
    link = addnodes.download_reference(
        '', '', nodes.literal(text or name, text or name), reftarget='/../' + name,
        refdoc=env.docname, refdomain='', reftype='download', refexplicit=True,
        refwarn=True)
    return link


def shown(directive, links, text, language):
    """The files' names above what is shown of them."""
    code = nodes.literal_block(text, text, language=language)
    directive.set_source_info(code)
    caption = nodes.paragraph('', '', *links, classes=['file-name'])
    return nodes.container('', caption, code, classes=['listing'])


def listing(directive, name, names, part):
    try:
        text = sources.take(name, names, part)
    except sources.SourceError as error:
        raise directive.error(str(error))
    return shown(directive, [link_to(directive.env, name)], text, sources.language(name))


def difference(directive, old, new):
    try:
        text = sources.difference(old, new)
    except sources.SourceError as error:
        raise directive.error(str(error))
    before, after = (link_to(directive.env, name, Path(name).name) for name in (old, new))
    return shown(directive, [before, nodes.Text(' → '), after], text, 'diff')


class Listing(SphinxDirective):
    required_arguments = 1
    option_spec = {'take': directives.unchanged_required, 'part': directives.unchanged_required}

    def run(self):
        names = self.options.get('take', '').split()
        return [listing(self, self.arguments[0], names, self.options.get('part'))]


def pair(listings):
    """Those of C and of Python, each in a tab."""
    beside = nodes.container(classes=['side-by-side'])
    for label, listing_ in zip(('C', 'Python'), listings):
        content = nodes.container('', listing_, is_div=True, classes=['tab-content'])
        beside += TabContainer('', nodes.label('', label), content, type='tab', new_set=False)
    return [beside]


class SideBySide(SphinxDirective):
    required_arguments = 2
    option_spec = {name: directives.unchanged_required
                   for name in ('c', 'python', 'c-part', 'python-part', 'from')}

    def run(self):
        if 'from' in self.options:
            files = zip(self.options['from'].split(), self.arguments)
            return pair(difference(self, old, new) for old, new in files)
        return pair(
            listing(self, name, self.options.get(side, '').split(),
                    self.options.get(f'{side}-part'))
            for name, side in zip(self.arguments, ('c', 'python')))


class Source(SphinxRole):
    """:source:`demo/echo_server.c`, or :source:`the server <demo/echo_server.c>`."""

    def run(self):
        text, bracket, name = self.text.rpartition('<')
        name = name.removesuffix('>') if bracket else self.text
        if not (sources.TOP / name).is_file():
            message = self.inliner.reporter.error(
                f'there is no file {name}', line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]
        return [link_to(self.env, name, text.strip())], []


def setup(app):
    PygmentsBridge.html_formatter = Lines
    app.add_directive('listing', Listing)
    app.add_directive('side-by-side', SideBySide)
    app.add_role('source', Source())
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
