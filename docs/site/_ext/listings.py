# SPDX-License-Identifier: MIT
"""Listings from the files that are built and run: `listing`, `side-by-side`, `:source:`.

    .. listing:: FILE                .. side-by-side:: FILE.c FILE.py
       :take: NAME...                   :c: NAME...        :python: NAME...
       :part: MARK                      :c-part: MARK      :python-part: MARK

Without an option the file is shown whole.  What a listing shows is looked up by
sources.py, and a name that is not there is an error.  With `:from: OLD.c OLD.py` a pair
shows what differs from those files instead.
"""
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective, SphinxRole

import sources


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


class SideBySide(SphinxDirective):
    required_arguments = 2
    option_spec = {name: directives.unchanged_required
                   for name in ('c', 'python', 'c-part', 'python-part', 'from')}

    def run(self):
        beside = nodes.container(classes=['side-by-side'])
        if 'from' in self.options:
            pairs = zip(self.options['from'].split(), self.arguments)
            beside += [difference(self, old, new) for old, new in pairs]
            return [beside]
        for name, side in zip(self.arguments, ('c', 'python')):
            names = self.options.get(side, '').split()
            beside += listing(self, name, names, self.options.get(f'{side}-part'))
        return [beside]


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
    app.add_directive('listing', Listing)
    app.add_directive('side-by-side', SideBySide)
    app.add_role('source', Source())
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
