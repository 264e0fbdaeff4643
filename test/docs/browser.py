# SPDX-License-Identifier: MIT
"""Chromium without a screen, on pages served from this machine alone.

All pages are measured in one go for each width: a page of our own has each in a frame of the width that
is asked for, and writes down how wide its content is, which names are broken at the end of
a line, and whether the theme's script has run.
"""

import collections
import contextlib
import functools
import html
import http.server
import json
import pathlib
import re
import struct
import subprocess
import tempfile
import threading
import urllib.parse
import zlib

PATIENCE = 240  # seconds for one start of the browser

MEASURE = '''<!doctype html><meta charset="utf-8"><style>iframe {{ border: 0; height: 900px }}</style>
<pre id="result"></pre>{frames}<script>
const widest = (page) => {{
  const limit = page.documentElement.clientWidth + 1;
  return [...page.body.querySelectorAll('.content *')]
    .filter(e => e.getBoundingClientRect().right > limit
                 && !e.closest('.table-wrapper, .visually-hidden'))
    .map(e => e.tagName + '.' + e.className).slice(0, 3);
}};
const broken = (page) => [...page.querySelectorAll('.content code .pre')]
  .filter(e => e.getClientRects().length > 1).map(e => e.textContent).slice(0, 3);
const tooWide = (page, tab) => {{
  for (const tabs of page.querySelectorAll('.tab-set'))
    tabs.querySelectorAll(':scope > input')[tab].checked = true;
  return [...page.querySelectorAll('.content :is(pre, .highlight)')]
    .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 40));
}};
addEventListener('load', () => {{
  const results = [...document.querySelectorAll('iframe')].map(frame => {{
    const page = frame.contentDocument;
    page.querySelectorAll('details').forEach(e => e.open = true);
    return [frame.dataset.page, frame.width, page.documentElement.scrollWidth, widest(page),
            page.querySelector('h1') ? page.querySelector('h1').innerText : '',
            broken(page), [...tooWide(page, 1), ...tooWide(page, 0)], !page.documentElement.classList.contains('no-js')];
  }});
  document.getElementById('result').textContent = JSON.stringify(results);
}});
</script>'''


PRESS = '''<!doctype html><meta charset="utf-8"><pre id="result"></pre>
<iframe src="{name}" width="1280"></iframe><script>
addEventListener('load', () => {{
  const page = document.querySelector('iframe').contentDocument;
  const before = page.body.dataset.theme;
  page.querySelector('.theme-toggle').click();
  document.getElementById('result').textContent = before + ' ' + page.body.dataset.theme;
}});
</script>'''

Measured = collections.namedtuple(
    'Measured', 'name width content sticking title broken too_wide scripted')


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Nothing is said."""


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128  # more than a browser opens before a busy machine accepts one


@contextlib.contextmanager
def serving(directory):
    """The directory's pages on a port that the kernel picks; yields their address."""
    handler = functools.partial(Quiet, directory=str(directory))
    with Server(('127.0.0.1', 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f'http://127.0.0.1:{server.server_port}'
        finally:
            server.shutdown()
            thread.join()


def chromium(*options):
    """One run, with a profile of its own and no other host within reach."""
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run(
            ['chromium', '--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars',
             '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
             f'--user-data-dir={profile}', *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=PATIENCE, text=True, check=True).stdout


def ask(directory, text):
    """What a page of this text, put beside the others, writes into its result."""
    page = pathlib.Path(directory) / 'measure.html'
    page.write_text(text)
    try:
        with serving(directory) as address:
            said = chromium('--window-size=1400,1000', '--dump-dom', f'{address}/measure.html')
    finally:
        page.unlink()
    return re.search(r'<pre id="result">(.*?)</pre>', said, re.DOTALL)[1]


def measure(directory, names, widths):
    """[Measured], each page at each width."""
    measured = []
    for width in widths:
        frames = ''.join(f'<iframe src="{name}" data-page="{name}" width="{width}"></iframe>'
                         for name in names)
        found = ask(directory, MEASURE.format(frames=frames))
        measured += [Measured(name, int(width), *rest)
                     for name, width, *rest in json.loads(html.unescape(found))]
    return measured


def press_theme(directory, name):
    """What the page says of its colours before the button is pressed, and after."""
    return ask(directory, PRESS.format(name=name)).split()


def search(directory, words):
    """What the pages' own search finds: addresses."""
    with serving(directory) as address:
        text = chromium('--virtual-time-budget=10000', '--dump-dom',
                        f'{address}/search.html?q={urllib.parse.quote(words)}')
    found = text[text.index('id="search-results"'):]
    return re.findall(r'<li[^>]*><a href="([^"]*)"', found)


def picture(directory, name, width, height, *options):
    """A page's picture: a PNG's bytes."""
    with serving(directory) as address, tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / 'page.png'
        chromium(f'--window-size={width},{height}', f'--screenshot={path}', *options,
                 f'{address}/{name}')
        return path.read_bytes()


def printed_pages(directory, name):
    """How many sheets of paper a page is."""
    with serving(directory) as address, tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / 'page.pdf'
        chromium(f'--print-to-pdf={path}', f'{address}/{name}')
        return len(re.findall(rb'/Type\s*/Page\b', path.read_bytes()))


def drawn_rows(png):
    """How many rows of a picture are not just like the one above; (width, rows)."""
    width, height, depth, colour = struct.unpack('>IIBB', png[16:26])
    data, at = b'', 8
    while at < len(png):
        size, kind = struct.unpack('>I4s', png[at:at + 8])
        if kind == b'IDAT':
            data += png[at + 8:at + 8 + size]
        at += 12 + size
    raw = zlib.decompress(data)
    stride = 1 + width * {2: 3, 6: 4}[colour] * depth // 8
    rows = [raw[i:i + stride] for i in range(0, height * stride, stride)]
    return width, sum(row[0] != 2 or any(row[1:]) for row in rows)
