# SPDX-License-Identifier: MIT
"""`exercise`, numbered on its page, and inside it `answer`, hidden until it is asked for.

In HTML an answer is a <details>, which needs no script; elsewhere it just follows.
`folded` hides anything else, under the words that it is given.
"""
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from words import say


class answer(nodes.General, nodes.Element):
    """What a reader sees only after a click."""


def visit_html(self, node):
    self.body.append(f'<details class="answer"><summary>{node["summary"]}</summary>\n')


def depart_html(self, node):
    self.body.append('</details>\n')


def pass_by(self, node):
    """Its content is shown as it is."""


class Exercise(SphinxDirective):
    has_content = True

    def run(self):
        number = self.env.temp_data.get('exercises', 0) + 1
        self.env.temp_data['exercises'] = number
        exercise = nodes.container(classes=['exercise'])
        exercise += nodes.paragraph('', say(self.env, 'Exercise {}', number),
                                    classes=['exercise-title'])
        self.state.nested_parse(self.content, self.content_offset, exercise)
        return [exercise]


class Answer(SphinxDirective):
    has_content = True
    summary = 'Answer'

    def run(self):
        node = answer(summary=say(self.env, self.summary))
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


class Folded(SphinxDirective):
    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self):
        node = answer(summary=self.arguments[0])
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


def setup(app):
    shown = (pass_by, pass_by)
    app.add_node(answer, html=(visit_html, depart_html), man=shown, text=shown,
                 latex=shown, texinfo=shown)
    app.add_directive('exercise', Exercise)
    app.add_directive('folded', Folded)
    app.add_directive('answer', Answer)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
