# SPDX-License-Identifier: MIT
"""What the theme lacks for those who hear a page or have no mouse.

It is put into the pages that are made: the theme has no place for it in its templates.
_static/accessible.js does what depends on the window.  test/docs/test_accessible.py asks
axe-core about all of it.
"""
import re
from pathlib import Path

SKIP = '<a class="skip" href="#content">Skip to the content</a>'
MENDED = [
    (r'<body>', rf'<body>\n{SKIP}'),
    (r'<article role="main">', r'<article role="main" id="content" tabindex="-1">'),
    (r'<aside class="sidebar-drawer">', r'<aside class="sidebar-drawer" aria-label="Pages">'),
    (r'<aside class="(toc-drawer[^"]*)">', r'<aside class="\1" aria-label="This page">'),
    (r'<div class="content-icon-container">',
     r'<div class="content-icon-container" role="region" aria-label="View">'),
    (r'<label class="overlay', r'<label aria-hidden="true" class="overlay'),
    (r'role="heading">', r'role="heading" aria-level="2">'),
    (r'<th class="head([^"]*)">(?:<p></p>)?</th>', r'<td class="head\1"></td>'),
]


def mend(app, exception):
    if exception is not None or app.builder.format != 'html':
        return
    for page in Path(app.outdir).rglob('*.html'):
        text = page.read_text()
        if SKIP not in text:
            for pattern, better in MENDED:
                text = re.sub(pattern, better, text)
            page.write_text(text)


def setup(app):
    app.connect('build-finished', mend)
    app.add_js_file('accessible.js', loading_method='defer')
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
