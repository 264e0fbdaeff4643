# SPDX-License-Identifier: MIT
"""Plots as SVG that becomes part of a page: gnuplot's, in the page's own colours.

Who has one kernel interface has one colour, the library's curve thick and its rivals thin,
so that two that should lie together can be told apart.  The colours are seen on white and
on black.
"""

import pathlib
import re
import shutil
import subprocess
import tempfile

from tools import BenchmarkError

SCRIPT = '''set terminal svg size 480,{height} dynamic font "sans-serif,14"
set output "{output}"
set xlabel "{x}" noenhanced offset 0,0.4
set ylabel "{y}" noenhanced
set logscale x
set format x "%.0f"
set format y "{unit}"
{scale}
set key below maxcols 2 noenhanced
set grid lc rgb "#b0808080" dt solid
set border 3
set tics nomirror
set style data linespoints
plot {curves}
'''
COLOURS = {
    'epoll': '#3b82f6', 'poll': '#16a34a', 'select': '#d97706', 'libuv': '#a855f7',
    'libev': '#e0484d', 'libevent': '#0d9488', 'sd-event': '#808080', 'selectors': '#06a3c4',
    'asyncio': '#db2777',
}
OTHERS = '#64748b', '#65a30d', '#c2410c', '#0284c7'
POINTS = {'epoll': 4, 'poll': 6, 'select': 8, 'libuv': 12, 'libev': 1, 'libevent': 2,
          'sd-event': 3, 'selectors': 10, 'asyncio': 14}
OWN = 'selkie/'
MOST_DIGITS = 99999  # beyond it a number is written with k or M


def _kin(name):
    """Whose colour a contender has; `selkie/uv` is libuv's kin."""
    kin = re.split(r'[, ]', name.removeprefix(OWN))[0]
    return {'uv': 'libuv'}.get(kin, kin)


def _style(name, number):
    kin = _kin(name)
    colour = COLOURS.get(kin, OTHERS[number % len(OTHERS)])
    point = POINTS.get(kin, 3)
    if name.startswith(OWN):
        return f'lw 3.5 dt solid lc rgb "{colour}" pt {point + 1} ps 0.7'
    dashes = 'dt solid' if name == kin else 'dt (4,4)'
    return f'lw 1.3 {dashes} lc rgb "{colour}" pt {point} ps 0.8'


def _script(plot, output, scratch):
    curves = []
    for number, (name, points) in enumerate(sorted(plot.curves.items())):
        data = scratch / f'{number}.dat'
        data.write_text(''.join(f'{x} {y}\n' for x, y in sorted(points)))
        curves.append(f'"{data}" title "{name}" {_style(name, number)}')
    heights = [y for points in plot.curves.values() for _, y in points]
    scale = 'set yrange [0:*]'
    if plot.logarithmic:
        scale = f'set logscale y\nset yrange [{min(heights) * 0.7}:{max(heights) * 1.4}]'
    return SCRIPT.format(
        height=390 + 10 * len(curves), output=output, x=plot.x, y=plot.y, scale=scale,
        unit='%.0s%c' if max(heights) > MOST_DIGITS else '%g', curves=', '.join(curves))


def _fit_into_page(svg, plot):
    """Black is what the page writes with; names that several plots have get the plot's."""
    svg = svg[svg.index('<svg'):]
    svg = re.sub(r'<title>Gnuplot</title>\s*<desc>.*?</desc>',
                 f'<title>{plot.title}</title>', svg)
    svg = re.sub(r'\b(fill|stroke|color)=(["\'])(?:black|rgb\( *0, *0, *0\))\2',
                 r'\1="currentColor"', svg)
    svg = re.sub(r'(\bid=["\']|xlink:href=["\']#)', rf'\g<1>{plot.name}-', svg)
    return svg.replace('<svg', '<svg role="img"', 1)


def write_plot(plot, folder):
    """folder/NAME.svg."""
    if shutil.which('gnuplot') is None:
        raise BenchmarkError('gnuplot is needed to draw the plots')
    with tempfile.TemporaryDirectory() as scratch:
        drawn = pathlib.Path(scratch) / 'drawn.svg'
        script = _script(plot, drawn, pathlib.Path(scratch))
        subprocess.run(['gnuplot', '-e', script.replace('\n', ';')], check=True,
                       stdout=subprocess.DEVNULL, timeout=60)
        text = _fit_into_page(drawn.read_text(encoding='utf-8'), plot)
    (folder / f'{plot.name}.svg').write_text(text, encoding='utf-8')
