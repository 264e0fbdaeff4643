# SPDX-License-Identifier: MIT
"""Parts of source files by name: C functions and types, Python's, and marked parts; the
commands under a heading of a README; and what differs between two files.

A part is what the file holds, so a listing can't differ from what is built and run.  C is
recognised by its layout: what is defined begins and ends in the first column.
"""
import ast
import difflib
import re
import textwrap
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
LANGUAGES = {
    '.c': 'c', '.h': 'c', '.cpp': 'cpp', '.py': 'python', '.sh': 'sh', '.txt': 'text',
    '.cmake': 'cmake', 'CMakeLists.txt': 'cmake', 'meson.build': 'meson', '.md': 'sh',
}


class SourceError(Exception):
    """There is no such file, function or part; str() says which."""


def read(name):
    """The text of a file of ours, named from the top of the tree."""
    path = TOP / name
    if not path.is_file():
        raise SourceError(f'there is no file {name}')
    return path.read_text()


def language(name):
    path = Path(name)
    return LANGUAGES.get(path.name) or LANGUAGES.get(path.suffix, 'text')


def marked(text, mark):
    """The lines between `[mark]` and `[/mark]`, which stand in comments."""
    found = re.search(
        rf'^[ \t]*(?://|#) \[{mark}\]\n(.*?)^[ \t]*(?://|#) \[/{mark}\]$', text,
        re.DOTALL | re.MULTILINE)
    if not found:
        raise SourceError(f'there is no part [{mark}]')
    return textwrap.dedent(found[1]).strip('\n')


def commands(text, heading):
    """What a Markdown file tells the shell under the heading that begins so."""
    found = re.search(rf'^## {heading}(?:(?!^## ).)*?^```sh\n(.*?)^```', text,
                      re.DOTALL | re.MULTILINE)
    if not found:
        raise SourceError(f'there are no commands under {heading}')
    return found[1].strip('\n')


def c_head(lines, name):
    """The first line of what defines a C function or type, and the line of its `{`."""
    function = re.compile(rf'^[A-Za-z_].*\b{name}\(')
    kind = re.compile(rf'^(?:typedef )?(?:struct|enum|union) {name}\b')
    for first, line in enumerate(lines):
        if not (function.match(line) or kind.match(line)):
            continue
        for at in range(first, min(first + 8, len(lines))):
            if lines[at].rstrip().endswith('{'):
                return first, at
            if lines[at].rstrip().endswith(';'):
                break
    return None


def c_anonymous(lines, name):
    """`typedef struct { ... } name;`: the line that opens it, twice."""
    for end, line in enumerate(lines):
        if re.match(rf'^\}} {name};', line):
            first = next(i for i in range(end, -1, -1)
                         if re.match(r'^typedef .*\{$', lines[i]))
            return first, first
    return None


def comment_above(lines, first):
    """Where the comment begins that stands right above a line."""
    if first == 0 or not lines[first - 1].rstrip().endswith('*/'):
        return first
    while not lines[first - 1].lstrip().startswith('/*'):
        first -= 1
    return first - 1


def c_part(text, name):
    lines = text.splitlines()
    head = c_head(lines, name) or c_anonymous(lines, name)
    if head is None:
        raise SourceError(f'there is no definition of {name}')
    first, brace = head
    last = next(i for i in range(brace, len(lines)) if lines[i].startswith('}'))
    return '\n'.join(lines[comment_above(lines, first):last + 1])


def python_part(text, name):
    """A function, a class, or Class.method."""
    scope = ast.parse(text)
    for word in name.split('.'):
        scope = next((node for node in scope.body if getattr(node, 'name', '') == word), None)
        if scope is None:
            raise SourceError(f'there is no definition of {name}')
    first = min([scope.lineno, *(d.lineno for d in scope.decorator_list)])
    return textwrap.dedent('\n'.join(text.splitlines()[first - 1:scope.end_lineno]))


def whole(text):
    """A file without its first line of licence and `#!`."""
    lines = text.splitlines()
    while lines and re.match(r'#!|(#|//|/\*) SPDX-', lines[0]):
        del lines[0]
    return '\n'.join(lines).strip('\n')


def take(name, names=(), part=None):
    """A file, or some of its definitions in the order asked for, or a marked part."""
    text = read(name)
    try:
        if part:
            return commands(text, part) if name.endswith('.md') else marked(text, part)
        if not names:
            return whole(text)
        is_python = language(name) == 'python'
        cut = python_part if is_python else c_part
        blank = '\n\n\n' if is_python else '\n\n'
        return blank.join(cut(text, one) for one in names)
    except SourceError as error:
        raise SourceError(f'{name}: {error}') from None


def body(name):
    """A file's lines from its first #include or import on."""
    lines = read(name).splitlines()
    first = next(i for i, line in enumerate(lines) if re.match(r'#include |import ', line))
    return lines[first:]


def difference(old, new):
    """What is to be done to one file to have the other, as `diff -u` has it: lines that go
    begin with -, those that come with +, and `…` stands for what stays.
    """
    lines = list(difflib.unified_diff(body(old), body(new), n=2, lineterm=''))[3:]
    return '\n'.join('…' if line.startswith('@@') else line for line in lines).rstrip()
