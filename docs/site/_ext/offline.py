# SPDX-License-Identifier: MIT
"""Pages that need no server, not even when they are opened as files.

Debian's furo imports normalize.css by a path that exists on a web server of Debian's only;
the few of its rules that matter stand in _static/selkie.css.  Its script imports another
as a module, which the pages don't load it as and a browser refuses to a file: the two
become one plain script.  Without it there is no button for light and dark.
"""
import re
from pathlib import Path

IMPORT = 'import Gumshoe from "./gumshoe-patched.js";'


def take_imports_out(static):
    styles = static / 'styles' / 'furo.css'
    text = styles.read_text()
    styles.write_text(re.sub(r'@import url\(/[^)]*\);', '', text))


def join_scripts(static):
    script = static / 'scripts' / 'furo.js'
    imported = static / 'scripts' / 'gumshoe-patched.js'
    text = script.read_text()
    if IMPORT in text:
        script.write_text(text.replace(IMPORT, imported.read_text()))


def mend_theme(app, exception):
    static = Path(app.outdir) / '_static'
    if exception is None and (static / 'styles' / 'furo.css').exists():
        take_imports_out(static)
        join_scripts(static)


def setup(app):
    app.connect('build-finished', mend_theme)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
