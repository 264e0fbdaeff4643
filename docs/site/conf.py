# SPDX-License-Identifier: MIT
"""How Sphinx makes the site; build.py starts it.

Nothing that a page needs comes from another host: fonts are the system's, scripts and
styles go along with the pages.
"""
import importlib.util
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / '_ext'))

project = 'selkie'
author = 'the selkie project'
copyright = author
release = re.search(r"^  version: '(.+)',$", (HERE.parents[1] / 'meson.build').read_text(), re.M)[1]
version = release

language = os.environ.get('DOCS_LANGUAGE', 'en')
locale_dirs = [os.environ.get('DOCS_LOCALE', '../locale')]
gettext_compact = False
gettext_uuid = False
gettext_location = False

extensions = ['accessible', 'exercises', 'figures', 'listings', 'offline', 'pictures', 'player',
              'reference', 'single', 'sphinx_copybutton', 'sphinx_inline_tabs', 'tables',
              'translation']  # after `accessible`, whose words it translates
exclude_patterns = ['site', 'twins', 'transcripts', 'timelines', 'pictures', 'locale', 'examples',
                    'benchmarks']
primary_domain = 'c'
highlight_language = 'text'
nitpicky = True
nitpick_ignore = [('c:identifier', name) for name in ('size_t', 'uint64_t', 'uv_loop_s')]
smartquotes = False
show_authors = False
today_fmt = '%Y'

html_theme = 'furo'
html_title = 'selkie'
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_static_path = ['_static']
html_favicon = '_static/icon.svg'
html_css_files = ['selkie.css']
html_js_files = ['search.js'] if language.startswith('zh') else []
templates_path = ['_templates']
html_sidebars = {'**': [
    'sidebar/brand.html', 'sidebar/search.html', 'sidebar/languages.html',
    'sidebar/scroll-start.html', 'sidebar/navigation.html', 'sidebar/scroll-end.html']}


def dark_colours():
    """The theme's, which Debian's build of it gives only to those who press the button.

    As options they also hold where the reader's system is dark.
    """
    theme = Path(importlib.util.find_spec('furo').origin).parent / 'theme/furo/static'
    styles = (theme / 'styles/furo.css').read_text()
    found = re.search(r'body\[data-theme="?dark"?\]\s*\{(.*?)\}', styles, re.DOTALL)
    colours = dict(re.findall(r'--([\w-]+):\s*([^;]+);', found[1])) if found else {}
    return {**colours, 'icon-filter': 'invert(1)'}  # of pictures that are drawn in black


html_theme_options = {'navigation_with_keys': True, 'dark_css_variables': dark_colours()}
if language.startswith('zh'):
    import jieba  # finds the words of a text that has no blanks
    jieba.setLogLevel('WARNING')
    jieba.dt.tmp_dir = os.environ.get('DOCS_LOCALE')

html_search_scorer = str(HERE / 'scorer.js')
html_search_language = 'zh' if language.startswith('zh') else 'en'
pygments_style = 'default'  # each word's contrast is 4.5 or more, in the dark one, too
pygments_dark_style = 'github-dark'

copybutton_prompt_text = '$ '
copybutton_only_copy_prompt_lines = True
