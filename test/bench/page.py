# SPDX-License-Identifier: MIT
"""The report as a page of the documentation: reStructuredText and gnuplot's SVG."""

import pathlib
import shutil
import subprocess
import tempfile

from tools import BenchmarkError

PLOT = '''set terminal svg size 760,420 dynamic font "sans-serif,13" background "white"
set output "{output}"
set title "{title}" noenhanced
set xlabel "{x}"
set ylabel "{y}"
set logscale x
{scale}
set key outside right top noenhanced
set grid lc rgb "#dddddd"
set style data linespoints
plot {curves}
'''


def _write_plot(plot, folder):
    with tempfile.TemporaryDirectory() as scratch:
        curves = []
        for number, (name, points) in enumerate(sorted(plot.curves.items())):
            data = pathlib.Path(scratch) / f'{number}.dat'
            data.write_text(''.join(f'{x} {y}\n' for x, y in sorted(points)))
            width = 3 if name.startswith('selkie') else 1.5
            curves.append(f'"{data}" title "{name}" lw {width} pt {number + 1} ps 0.6')
        script = PLOT.format(
            output=folder / f'{plot.name}.svg', title=plot.title, x=plot.x, y=plot.y,
            scale='set logscale y' if plot.logarithmic else 'set yrange [0:*]',
            curves=', '.join(curves))
        subprocess.run(['gnuplot', '-e', script.replace('\n', ';')], check=True,
                       stdout=subprocess.DEVNULL)


def _table(columns, lines):
    """A list-table: cells may hold anything."""
    rows = ['.. list-table::', '   :header-rows: 1', '']
    for line in [columns, *lines]:
        cells = [str(cell) or '\\' for cell in line]
        rows.append(f'   * - {cells[0]}')
        rows += [f'     - {cell}' for cell in cells[1:]]
    return '\n'.join(rows) + '\n'


def _heading(text, line):
    return f'{text}\n{line * len(text)}\n'


def describe_limit(goal):
    return f"at {'least' if goal.at_least else 'most'} {goal.limit:g}"


def describe_figure(goal):
    if goal.lower is None:
        return f'{goal.figure:.4g}'
    return f'{goal.figure:.3f} ({goal.lower:.3f} to {goal.upper:.3f})'


def write_page(folder, facts, results):
    """folder/figures.rst and the plots that it shows."""
    if shutil.which('gnuplot') is None:
        raise BenchmarkError('gnuplot is needed to draw the plots')
    folder.mkdir(parents=True, exist_ok=True)
    goals = [goal for result in results.values() for goal in result.goals]
    parts = ['.. Written by ./run bench; do not edit.\n',
             _heading('The machine', '-'), _table(['', ''], facts.items()),
             _heading('The goals', '-'),
             _table(['', 'figure', 'goal', ''],
                    [[goal.name, describe_figure(goal), describe_limit(goal),
                      'met' if goal.met else '**missed**'] for goal in goals])]
    for name, result in results.items():
        parts += [_heading(result.title[0].upper() + result.title[1:], '-'),
                  f'``./run bench {name}``\n']
        for plot in result.plots:
            _write_plot(plot, folder)
            parts.append(f'.. image:: /benchmarks/{plot.name}.svg\n   :alt: {plot.title}\n')
        parts.append(_table(result.columns, result.table))
        if result.note:
            parts.append(result.note + '\n')
    (folder / 'figures.rst').write_text('\n'.join(parts), encoding='utf-8')
