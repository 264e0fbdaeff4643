# SPDX-License-Identifier: MIT
"""Pages that need no server: what the theme would load from a server's root is taken out.

Debian's furo imports normalize.css by a path that exists on a web server of Debian's only;
the few of its rules that matter stand in _static/selkie.css.
"""
import re
from pathlib import Path


def take_imports_out(app, exception):
    styles = Path(app.outdir) / '_static' / 'styles' / 'furo.css'
    if exception is None and styles.exists():
        text = styles.read_text()
        styles.write_text(re.sub(r'@import url\(/[^)]*\);', '', text))


def setup(app):
    app.connect('build-finished', take_imports_out)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
