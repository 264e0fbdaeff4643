# SPDX-License-Identifier: MIT
"""All on one page: there is no other page that a link could lead to.

A browser finds a word in it; the index and the search, which are pages of their own, are
not made, and nothing may point to them.
"""


def be_alone(app):
    if app.builder.name == 'singlehtml':
        app.builder.search = False
        app.config.html_use_index = False
        app.config.html_sidebars = {
            pages: [template for template in templates if 'search' not in template]
            for pages, templates in app.config.html_sidebars.items()}


def setup(app):
    app.connect('builder-inited', be_alone)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
