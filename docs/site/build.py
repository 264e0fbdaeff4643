#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build the site: what `./run docs` starts.

    build.py [--output DIR] [PART...]

PART is en or zh_CN, the site in English or in Chinese; single, all of it on one page; or
man, the manual pages.  Without a PART all four are built.  Warnings are errors.
`catalogues` is another: it updates the catalogues in docs/locale from the English text.
"""
import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import manual

SITE = Path(__file__).resolve().parent
DOCS = SITE.parent
TOP = DOCS.parent
SPHINX = [sys.executable, '-m', 'sphinx']
PARTS = {'en': 'the site', 'zh_CN': 'the site in Chinese', 'single': 'all on one page',
         'man': 'the manual pages'}
BOUND = 600  # seconds for one part


def version():
    text = (TOP / 'meson.build').read_text()
    return re.search(r"^  version: '(.+)',$", text, re.M)[1]


def forget_if_new(output):
    """Sphinx keeps the pages that it has read, and does not notice a change in an extension or
    in a file that it copies.
    """
    sources = [*sorted((SITE / '_ext').glob('*.py')), *sorted(SITE.glob('*.*')),
               *sorted((SITE / '_static').iterdir()),
               *sorted((TOP / 'include').rglob('*.h*'))]
    wanted = hashlib.sha256(b''.join(path.read_bytes() for path in sources)).hexdigest()
    stamp = output / 'made-from'
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir(parents=True)
        stamp.write_text(wanted)


def sphinx(output, builder, source, target, **environment):
    """One run of Sphinx; ends the program if it complains of anything."""
    doctrees = output / 'doctrees' / environment.get('DOCS_LANGUAGE', target.name)
    command = [*SPHINX, '-W', '-n', '--keep-going', '-q', '-b', builder, '-d', str(doctrees),
               '-c', str(SITE if source == DOCS else source), str(source), str(target)]
    ended = subprocess.run(command, env={**os.environ, **environment}, timeout=BOUND,
                           stdin=subprocess.DEVNULL)
    if ended.returncode != 0:
        sys.exit('run: the documentation was not built')


def build_en(output):
    sphinx(output, 'html', DOCS, output / 'en', DOCS_LANGUAGE='en')
    return output / 'en' / 'index.html'


def build_zh_CN(output):
    """Sphinx writes the compiled catalogues beside their sources, so it gets a copy."""
    shutil.copytree(DOCS / 'locale', output / 'locale', dirs_exist_ok=True)
    sphinx(output, 'html', DOCS, output / 'zh_CN', DOCS_LANGUAGE='zh_CN',
           DOCS_LOCALE=str(output / 'locale'))
    return output / 'zh_CN' / 'index.html'


def build_single(output):
    sphinx(output, 'singlehtml', DOCS, output / 'single', DOCS_LANGUAGE='en')
    return output / 'single' / 'index.html'


def build_man(output):
    source = output / 'man-source'
    manual.write(source, version())
    sphinx(output, 'man', source, output / 'man')
    return output / 'man'


def take_words_of_player(template):
    """The words of players and timelines are in the Python sources."""
    subprocess.run(['xgettext', '--language=Python', '--from-code=UTF-8', '--keyword=say',
                    '--keyword=phrase', '--no-location', f'--output={template}',
                    *(str(SITE / file) for file in
                      ('steps.py', '_ext/player.py', '_ext/pictures.py'))],
                   check=True, timeout=BOUND)


def update_catalogues(output):
    """Put every text of the English pages into docs/locale, and keep its translations."""
    sphinx(output, 'gettext', DOCS, output / 'gettext')
    take_words_of_player(output / 'gettext' / 'player.pot')
    for template in sorted((output / 'gettext').rglob('*.pot')):
        name = template.relative_to(output / 'gettext').with_suffix('.po')
        catalogue = DOCS / 'locale' / 'zh_CN' / 'LC_MESSAGES' / name
        if catalogue.exists():
            command = ['msgmerge', '--quiet', '--update', '--backup=none', '--no-location',
                       '--no-fuzzy-matching', str(catalogue), str(template)]
        else:
            catalogue.parent.mkdir(parents=True, exist_ok=True)
            command = ['msginit', '--no-translator', '--locale=zh_CN', f'--input={template}',
                       f'--output-file={catalogue}']
        subprocess.run(command, check=True, timeout=BOUND, stderr=subprocess.DEVNULL)


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f'run docs: {message}\n')


def main():
    parser = Parser(prog='./run docs', description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--output', type=Path, default=TOP / 'build' / 'docs', metavar='DIR',
                        help='where to build it (build/docs)')
    parser.add_argument('parts', nargs='*', metavar='PART',
                        choices=[[], *PARTS, 'catalogues'])
    given = parser.parse_args()
    output = given.output.resolve()
    forget_if_new(output)
    if given.parts == ['catalogues']:
        update_catalogues(output)
        return
    for part in given.parts or PARTS:
        place = globals()[f'build_{part}'](output)
        print(f'{PARTS[part]}: {place}', flush=True)


if __name__ == '__main__':
    main()
