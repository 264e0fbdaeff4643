# SPDX-License-Identifier: MIT
"""The report as a page of the documentation: reStructuredText and plots.

The page begins with what a reader wants to know first: on what machine, and whether the
goals are met.  Then each work says what it measures before it shows its figures.
"""

import datetime
import re

from about import about
from plotting import write_plot

MARKS = re.compile(r'^([-+*])$')  # alone in a cell they would begin a list
MOST_ROWS = 16  # of a table that is shown before it is asked for


def _table(columns, lines, kind='figures'):
    """A list-table: cells may hold anything."""
    rows = ['.. list-table::', f'   :class: {kind}',
            *(['   :header-rows: 1'] if columns else []), '']
    for line in [columns, *lines] if columns else lines:
        cells = [MARKS.sub(r'\\\1', str(cell)) or '\\' for cell in line]
        rows.append(f'   * - {cells[0]}')
        rows += [f'     - {cell}' for cell in cells[1:]]
    return '\n'.join(rows) + '\n'


def _indent(text):
    return ''.join(f'   {line}\n' if line else '\n' for line in text.splitlines())


def _heading(text, line):
    return f'{text}\n{line * len(text)}\n'


def describe_limit(goal):
    return f"at {'least' if goal.at_least else 'most'} {goal.limit:g}"


def describe_figure(goal):
    if goal.lower is None:
        return f'{goal.figure:.4g}'
    return f'{goal.figure:.3f} ({goal.lower:.3f}–{goal.upper:.3f})'


def _goals_of(goals):
    return _table(['Goal', 'figure', 'wanted', ''],
                  [[goal.name, describe_figure(goal), describe_limit(goal),
                    'met' if goal.met else '**missed**'] for goal in goals], 'pairs goals')


def _machine(facts):
    lines = [['day', datetime.date.today().isoformat()], *facts.items()]
    return _heading('The machine', '-') + '\n' + _table(None, lines, 'pairs')


def _summary(results):
    """How many goals of each work are met, and which are missed."""
    judged = {name: result.goals for name, result in results.items() if result.goals}
    goals = [goal for found in judged.values() for goal in found]
    missed = [goal for goal in goals if not goal.met]
    lines = [[f'`{about(name, results[name])[0]}`_', len(found),
              sum(goal.met for goal in found)] for name, found in judged.items()]
    parts = [_heading('The goals', '-'),
             f'{len(goals) - len(missed)} of {len(goals)} goals are met.\n',
             _table(['', 'goals', 'met'], lines), f'Missed: {len(missed)}.\n']
    if missed:
        parts.append(_goals_of(missed))
    return '\n'.join(parts)


def _figures(result):
    """The table of all; a long one only when it is asked for, if a plot says the same."""
    lines = [[f'**{line[0]}**' if str(line[0]).startswith('selkie') else line[0], *line[1:]]
             for line in result.table]
    text = f'{result.title[0].upper()}{result.title[1:]}.\n\n' + _table(result.columns, lines)
    if len(result.table) <= MOST_ROWS or not result.plots:
        return text
    return '.. all-figures::\n\n' + _indent(text)


def _work(name, result, folder):
    heading, text = about(name, result)
    parts = [_heading(heading, '-'), f'{text}\n', f'``./run bench {name}``\n']
    for plot in result.plots:
        write_plot(plot, folder)
        parts.append(f'.. plot:: {plot.name}\n\n   {plot.title}\n')
    parts.append(_figures(result))
    if result.note:
        parts.append(result.note + '\n')
    if result.goals:
        parts.append(_goals_of(result.goals))
    return '\n'.join(parts)


def write_page(folder, facts, results):
    """folder/figures.rst and the plots that it shows."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = ['.. Written by ./run bench; do not edit.\n', _machine(facts), _summary(results),
             *(_work(name, result, folder) for name, result in results.items())]
    (folder / 'figures.rst').write_text('\n'.join(parts), encoding='utf-8')
