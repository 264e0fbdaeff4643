#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The sources of the manual pages: what docs/site/build.py gives to Sphinx's man builder.

Section 3 is made from the public headers, a page for each function, as the site's
reference is.  Sections 1 and 7 are docs/man/*.rst, which are pages of the site, too; the
first line of each says its section and what it is about.
"""
import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / '_ext'))

import headers  # noqa: E402 (it is found only now)
from markup import Markup  # noqa: E402

PAGES = HERE.parent / 'man'
ABOUT = re.compile(r'\A:manual: (\d) (.+)\n')
TITLES = {'Arguments': 'Arguments', 'Returns': 'Return value', 'Errors': 'Errors',
          'Owner': 'Ownership', 'Thread': 'Threads', 'Python': 'In Python', 'From': 'Origin',
          'Since': 'History'}
EVERYWHERE = ('-EINVAL', 'the selector is NULL'), (
    '-ECHILD', 'the process is a forked child that has not called sel_after_fork()')

CONF = """\
project = 'selkie'
author = 'the selkie project'
copyright = author
version = release = {version!r}
nitpicky = True
smartquotes = False
man_make_section_directory = True
man_pages = {pages!r}
"""


class Page(Markup):
    """A manual page of section 3."""

    def __init__(self, functions):
        super().__init__(dict.fromkeys(functions, 'manpage'))

    def link(self, name):
        return f':manpage:`{name}(3)`'

    def call(self, text, name):
        return f'``{text}``'


def section(title, *lines):
    return [title, '-' * len(title), '', *lines, '']


def declarations(entry):
    """As the header has them, several lines each."""
    text = re.sub(r'^(SEL_API |        (?= ))', '', entry.code, flags=re.M)
    return [f'   {line}' for line in text.splitlines()]


def synopsis(entry):
    header = 'selkie/uv.h' if entry.header == 'uv.h' else 'selkie.h'
    return ['::', '', f'   #include <{header}>', '', *declarations(entry)]


def known_everywhere(entry):
    """The errors that the headers state once for all calls on a selector."""
    is_call = headers.prototype(entry, entry.names[0]).startswith('int ')
    says_its_own = entry.header == 'uv.h' or entry.names == ['sel_close']
    if not is_call or says_its_own or 'sel_selector *sel' not in entry.code:
        return ()
    return EVERYWHERE[:1] if entry.names == ['sel_after_fork'] else EVERYWHERE


def all_errors(entry):
    """The field's errors and those that every call knows, a code with one meaning."""
    general = dict(known_everywhere(entry))
    for codes, meaning in headers.errors_of(entry.fields['Errors']):
        if codes in general:
            meaning = f'{meaning}; {general.pop(codes)}'
        elif not meaning and set(codes.split(', ')) <= set(general):
            continue
        yield codes, meaning
    yield from general.items()


def errors(page, entry):
    for codes, meaning in all_errors(entry):
        if not codes:
            yield from (page.inline(meaning[:1].upper() + meaning[1:].rstrip('.') + '.'), '')
            continue
        yield ', '.join(f'``{code}``' for code in codes.split(', '))
        yield f'   {page.inline(meaning or "as the system says")}'
        yield ''


def sentence(text):
    """A field's text stands alone here, so it begins as a sentence does."""
    text = ' '.join(text.lstrip(': ').split())
    return text[:1].upper() + text[1:] if re.match(r'[a-z]+[ .,;:]', text) else text


def function_page(page, entry, name):
    lines = [name, '=' * len(name), '']
    lines += section('Synopsis', *synopsis(entry))
    lines += section('Description', page.inline(entry.summary), '',
                     *page.blocks(entry.promise))
    for label in headers.FIELDS:
        if label == 'Errors' and label in entry.fields:
            lines += section(TITLES[label], *errors(page, entry))
        elif label in entry.fields:
            text = entry.fields[label]
            said = f'Since selkie {text}' if label == 'Since' else sentence(text)
            lines += section(TITLES[label], page.inline(said))
    others = [f':manpage:`{other}(3)`' for other in entry.names if other != name]
    lines += section('See also', ', '.join([*others, ':manpage:`selkie(7)`']))
    return '\n'.join(lines)


def about(path):
    """A written page's section and its line in the index of manual pages."""
    found = ABOUT.match(path.read_text())
    return int(found[1]), found[2]


def write(directory, version):
    """All sources and their conf.py; the directory is made anew."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    pages = []
    entries = [e for header in headers.read_all() for e in header.entries
               if e.kind == 'function']
    page = Page([name for entry in entries for name in entry.names])
    for entry in entries:
        for name in entry.names:
            (directory / f'{name}.rst').write_text(function_page(page, entry, name))
            what = entry.first_sentence.replace('`', '')
            pages.append((name, name, what[:1].lower() + what[1:], [], 3))
    for path in sorted(PAGES.glob('*.rst')):
        if path.stem != 'index':
            number, what = about(path)
            shutil.copy(path, directory)
            pages.append((path.stem, path.stem, what, [], number))
    listed = ''.join(f'   {name}\n' for name, *_ in pages)
    (directory / 'index.rst').write_text(f'selkie\n======\n\n.. toctree::\n\n{listed}')
    (directory / 'conf.py').write_text(CONF.format(version=version, pages=pages))
    return pages
