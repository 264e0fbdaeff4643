# SPDX-License-Identifier: MIT
"""Tables of two columns get the class `pairs`, by which a telephone shows them as a list."""
from docutils import nodes


def mark_pairs(app, document):
    for table in document.findall(nodes.table):
        group = next(table.findall(nodes.tgroup))
        if group['cols'] == 2 and 'rows' not in table['classes']:
            table['classes'].append('pairs')


def setup(app):
    app.connect('doctree-read', mark_pairs)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
