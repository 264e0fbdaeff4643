# SPDX-License-Identifier: MIT
"""What a translated site needs besides the catalogues of docs/locale.

A page whose translation is not complete says at its top how far it is.  Both numbers are
of the page as it is now: a text that has changed since it was translated is not counted.
The labels of tabs, which Sphinx passes over, become texts that can be translated.
What the theme and accessible.py say to those who hear a page rather than see it is
replaced in the pages that are made.
"""
import gettext
from pathlib import Path

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util.i18n import docname_to_domain
from sphinx.util.nodes import extract_messages
from sphinx_inline_tabs._impl import TabContainer

from words import CHINESE

NOTE = '本页译文完成 {}/{}，其余部分是英文原文。'
HEARD = {
    'Skip to the content': '跳到正文',
    'Pages': '页面导航',
    'This page': '本页目录',
    'View': '显示方式',
    'Hide navigation sidebar': '隐藏导航栏',
    'Hide table of contents sidebar': '隐藏目录栏',
    'Toggle site navigation sidebar': '显示或隐藏导航栏',
    'Toggle table of contents sidebar': '显示或隐藏目录栏',
    'Toggle Light / Dark / Auto color theme': '切换配色：浅色、深色、自动',
    'Toggle child pages in navigation': '展开或收起下级页面',
}


class Untranslated(gettext.NullTranslations):
    """The end of every look-up: a text is missing, not the same in both languages."""

    def gettext(self, message):
        return None


def catalogue(env):
    """The page's, as Sphinx compiled it."""
    domain = docname_to_domain(env.docname, env.config.gettext_compact)
    for place in env.config.locale_dirs:
        found = gettext.find(domain, str(Path(env.srcdir) / place), [env.config.language])
        if found:
            texts = gettext.translation(domain, str(Path(env.srcdir) / place),
                                        [env.config.language])
            texts.add_fallback(Untranslated())
            return texts
    return Untranslated()


class TabLabels(SphinxTransform):
    default_priority = 5  # before anything asks what can be translated

    def apply(self, **options):
        for tabs in self.document.findall(TabContainer):
            label = tabs[0]
            if tabs.source:  # C and Python, of listings.py, are so in every language
                label.source, label.line = tabs.source, tabs.line
                label.rawsource = label.astext()


def texts_of(document):
    """What is there to translate.

    Fields before the title are for the builders, and what the directives say is in the
    page's language already.
    """
    fields = [node for node in document if isinstance(node, nodes.field_list)]
    apart = {id(node) for list_ in fields for node in list_.findall()}
    found = {text for node, text in extract_messages(document) if id(node) not in apart}
    return found - set(CHINESE.values())


class Progress(SphinxTransform):
    default_priority = 19  # just before Sphinx puts the translation into the page

    def apply(self, **options):
        """Once for a page: Sphinx brings each translated text along here, too."""
        is_chinese = self.config.language.startswith('zh')
        if not is_chinese or 'translation' in self.env.temp_data:
            return
        texts = catalogue(self.env)
        wanted = texts_of(self.document)
        done = sum(texts.gettext(message) is not None for message in wanted)
        self.env.temp_data['translation'] = done, len(wanted)
        section = next(self.document.findall(nodes.section), None)
        if done < len(wanted) and section is not None:
            text = NOTE.format(done, len(wanted))
            section.insert(1, nodes.note('', nodes.paragraph('', text),
                                         classes=['translation']))


def replace_heard(app, exception):
    if exception is not None or not app.config.language.startswith('zh'):
        return
    for page in Path(app.outdir).rglob('*.html'):
        text = page.read_text()
        for english, chinese in HEARD.items():
            text = text.replace(f'>{english}<', f'>{chinese}<')
            for name in ('title', 'aria-label'):
                text = text.replace(f'{name}="{english}"', f'{name}="{chinese}"')
        page.write_text(text)


def setup(app):
    app.connect('build-finished', replace_heard)
    app.add_transform(TabLabels)
    app.add_transform(Progress)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
