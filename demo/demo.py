#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The programs of this folder: what `./run demo` lists, builds and starts.

    demo.py [NAME [ARGUMENT...]]

A program is a file with a main(), and its first comment says what it is.  Its name is the
file's without the number of its lesson; the name with the number works too.
"""
import os
import re
import sys
from pathlib import Path

DEMO = Path(__file__).resolve().parent
NUMBER = re.compile(r'^(?:\d\d|all)_')
APART = {'monitor': 'monitor'}  # each in a build directory of its own
WIDTH = 77  # of a program's description


def purpose(text):
    """The first sentence of a file's first comment, on one line."""
    comment = re.search(r'^/\*\n(.*?)\*/', text, re.DOTALL | re.MULTILINE)[1]
    words = ' '.join(re.sub(r'^ \* ?', '', comment, flags=re.MULTILINE).split())
    sentence = re.split(r'[.;](?=\s|$)', words)[0]
    for mark in ':', ',':
        if len(sentence) > WIDTH:
            sentence = sentence.partition(mark)[0]
    return sentence


def programs():
    """{name: description}; the names are as in build/release/demo."""
    found = {}
    for path in sorted(DEMO.rglob('*.c')):
        text = path.read_text()
        if re.search(r'^int main\(', text, re.MULTILINE):
            name = NUMBER.sub('', path.stem)
            found[f'first/{name}' if path.parent.name == 'first' else name] = purpose(text)
    return found


def start(name, arguments):
    """Build this program and become it."""
    sys.path.insert(0, str(DEMO.parent / 'test'))
    import build
    directory = APART.get(name, 'release')
    build.main(directory, f'demo/{name}')
    program = build.BUILD / directory / 'demo' / name
    os.execv(program, [program, *arguments])


def main(name='', *arguments):
    known = programs()
    name = NUMBER.sub('', name)
    if name in ('', '-h', '--help'):
        print('usage: ./run demo NAME [ARGUMENT...]')
        print(*(f'  {name:<18}{known[name]}' for name in known), sep='\n')
    elif name not in known:
        sys.stderr.write(f"run demo: there is no program '{name}'; ./run demo lists them\n")
        return 2
    else:
        start(name, arguments)
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
