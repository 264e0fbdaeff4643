# SPDX-License-Identifier: MIT
"""The built site in a browser, served from this machine alone.

Several suites read the site at once, so nothing is ever written there: a page that a test
makes up is given to the server, which has it in memory.
"""

import collections
import contextlib
import functools
import http.server
import re
import struct
import sys
import threading
import urllib.parse
import zlib

import site_support

sys.path.insert(0, str(site_support.TOP / 'test' / 'python'))

import chromium  # noqa: E402

MEASURE = '''(() => {
  const limit = document.documentElement.clientWidth + 1;
  const all = (within, selector) => [...within.querySelectorAll(selector)];
  const tooWide = (tab) => {
    for (const tabs of all(document, '.tab-set'))
      all(tabs, ':scope > input')[tab].checked = true;
    return all(document, '.content :is(pre, .highlight)')
      .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 40));
  };
  all(document, 'details').forEach(e => e.open = true);
  return [
    document.documentElement.scrollWidth,
    all(document, '.content *')
      .filter(e => e.getBoundingClientRect().right > limit
                   && !e.closest('.table-wrapper, .visually-hidden'))
      .map(e => e.tagName + '.' + e.className).slice(0, 3),
    document.querySelector('h1')?.innerText ?? '',
    all(document, '.content code .pre')
      .filter(e => e.getClientRects().length > 1).map(e => e.textContent).slice(0, 3),
    [...tooWide(1), ...tooWide(0)],
    !document.documentElement.classList.contains('no-js'),
  ];
})()'''
FOUND = "[...document.querySelectorAll('#search-results li > a')].map(e => e.getAttribute('href'))"
ENDED = "document.querySelector('#search-results .search-summary')?.innerText.trim()"

Measured = collections.namedtuple(
    'Measured', 'path width content sticking title broken too_wide scripted')


class Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, made_up, *arguments, **options):
        self.made_up = made_up
        super().__init__(*arguments, **options)

    def log_message(self, *arguments):
        """Nothing is said."""

    def do_GET(self):
        if self.path != '/made-up.html':
            super().do_GET()
            return
        self.send_response(200)
        self.send_header('Content-Type', 'text/html; charset=utf-8')
        self.end_headers()
        self.wfile.write(self.made_up.encode())


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128  # more than a browser opens before a busy machine accepts one


@contextlib.contextmanager
def serving(made_up):
    """The site and a page besides, on a port that the kernel picks; yields its address."""
    handler = functools.partial(Handler, made_up, directory=str(site_support.OUTPUT))
    with Server(('127.0.0.1', 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f'http://127.0.0.1:{server.server_port}'
        finally:
            server.shutdown()
            thread.join()


class Browser(chromium.Chromium):
    """Chromium before the site: what it opens is a path there, as /en/index.html.

    The page that a test makes up is at /made-up.html.
    """

    def __init__(self, made_up=''):
        self.site = serving(made_up)

    def __enter__(self):
        self.address = self.site.__enter__()
        try:
            return super().__enter__()
        except BaseException:
            self.site.__exit__(None, None, None)
            raise

    def __exit__(self, *exception):
        super().__exit__(*exception)
        self.site.__exit__(*exception)

    def open(self, path):
        super().open(self.address + path)


def measure(paths, widths, made_up=''):
    """A Measured of each page at each width."""
    with Browser(made_up) as page:
        for path in paths:
            page.open(path)
            for width in widths:
                page.show(width, 900)
                yield Measured(path, width, *page.evaluate(MEASURE))


def search(page, part, words):
    """What the pages' own search finds: addresses, the best first."""
    page.open(f'/{part}/search.html?q={urllib.parse.quote(words)}')
    page.wait_for(ENDED)
    return page.evaluate(FOUND)


def sheets(pdf):
    """How many sheets of paper it is."""
    return len(re.findall(rb'/Type\s*/Page\b', pdf))


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
