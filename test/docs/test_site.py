# SPDX-License-Identifier: MIT
"""The built site: no warning, no request to another host, manual pages, and a browser's view.

With --thorough only: all of it is built.
"""

import collections
import functools
import html
import pathlib
import re
import shutil
import tempfile
import unittest
import urllib.parse

import browser
import site_support

import manual  # of docs/

DESK, LAPTOP, TELEPHONE = 1440, 1280, 390
WIDTHS = [DESK, LAPTOP, TELEPHONE]
PICTURED = ['/en/index.html', '/en/start.html', '/en/reference/selectors.html',
            '/en/lessons/07-reactor.html', '/zh_CN/index.html']
THEME = 'document.body.dataset.theme'
ASKED = [  # of docs/faq.rst
    'close descriptor in callback', 'register twice', 'which thread', 'stop from a signal',
    'sel_modify cheap', 'EPERM file', 'seconds or milliseconds', 'C++', 'child process',
    'edge triggering', '100 % CPU', 'EMFILE',
]
LOADED = re.compile(r'<(?:script|img|iframe|source)[^>]*\ssrc="([^"]*)"|<link[^>]*\shref="([^"]*)"')
TARGET = re.compile(r'<\w+\b[^>]*\s(?:href|src|action)="([^"]*)"')
BLANK_BELOW = 200  # rows


def dead_links(site):
    """(page, target) of what leads nowhere."""
    @functools.cache
    def places(path):
        return set(re.findall(r'\s(?:id|name)="([^"]+)"', path.read_text()))

    for page in sorted(site.glob('*/**/*.html')):
        for target in map(html.unescape, TARGET.findall(page.read_text())):
            path, _, place = urllib.parse.unquote(target).partition('#')
            there = page.parent / path.partition('?')[0] if path else page
            if re.match(r'\w+:', target):
                continue
            if not there.is_file() or (place and there.suffix == '.html'
                                       and place not in places(there)):
                yield str(page.relative_to(site)), target


@unittest.skipUnless(site_support.is_thorough, 'only with --thorough')
class Site(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.output = site_support.build()

    def pages(self, part='en'):
        return sorted(str(path.relative_to(self.output / part))
                      for path in (self.output / part).rglob('*.html'))

    def test_every_page_is_there_in_both_languages(self):
        self.assertEqual(self.pages('en'), self.pages('zh_CN'))
        self.assertGreater(len(self.pages('en')), 30)

    def test_benchmarks_have_the_same_figures_in_both_languages(self):
        def figures(part):
            text = (self.output / part / 'benchmarks.html').read_text()
            shown = re.sub(r'(?s)<svg.*?</svg>|<[^>]+>', ' ', text.partition('<article')[2])
            return collections.Counter(re.findall(r'\d+(?:[.,]\d+)*', shown))

        self.assertEqual(figures('en'), figures('zh_CN'))
        self.assertGreater(figures('en').total(), 500)

    def test_nothing_is_loaded_from_another_host(self):
        for part in ('en', 'zh_CN', 'single'):
            for name in self.pages(part):
                text = (self.output / part / name).read_text()
                loaded = [one or other for one, other in LOADED.findall(text)]
                with self.subTest(f'{part}/{name}'):
                    self.assertTrue(loaded)
                    self.assertEqual([u for u in loaded if re.match(r'(\w+:)?//', u)], [])
            for path in (self.output / part).rglob('*.css'):
                with self.subTest(path):
                    elsewhere = re.findall(r'url\(["\']?(?:\w+:)?//[^)]*|@import[^;]*',
                                           path.read_text())
                    self.assertEqual(elsewhere, [])

    def test_no_link_is_dead(self):
        """Of any page: a link, a script, a form; the file is there and in it the place."""
        found = list(dead_links(self.output))
        self.assertEqual(found, [])

    def test_a_dead_link_would_be_seen(self):
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder, 'en', 'page.html')
            page.parent.mkdir()
            page.with_name('other.html').write_text('<p id="there">')
            page.write_text('<a href="other.html">x</a> <a href="none.html">x</a> <form action='
                            '"search.html"></form> <a class="a" href="#none">x</a> <p id="here"> '
                            '<a href="#here">x</a> <a href="other.html#there">x</a> '
                            '<a href="other.html#no-such-place">x</a>')
            self.assertEqual([target for _, target in dead_links(pathlib.Path(folder))],
                             ['none.html', 'search.html', '#none', 'other.html#no-such-place'])

    def test_the_single_page_has_all(self):
        text = (self.output / 'single' / 'index.html').read_text()
        for title in ('From Python to C', 'Backends, honestly', 'Twenty-one lessons'):
            self.assertIn(title, text)
        for name in ('sel_open', 'sel_attach_loop'):
            self.assertIn(f'id="c.{name}"', text)

    def test_there_is_a_manual_page_for_everything(self):
        man = self.output / 'man'
        names = re.findall(r'\b(sel_\w+);', (site_support.TOP / 'lib/selkie.map').read_text())
        for name in names:
            self.assertTrue((man / 'man3' / f'{name}.3').exists(), name)
        for path in manual.PAGES.glob('*.rst'):
            if path.stem != 'index':
                number, _ = manual.about(path)
                self.assertTrue((man / f'man{number}' / f'{path.stem}.{number}').exists(), path)

    @unittest.skipUnless(shutil.which('mandoc'), 'there is no mandoc')
    def test_manual_pages_are_sound(self):
        pages = sorted((self.output / 'man').glob('man*/*'))
        site_support.run('mandoc', '-T', 'lint', '-W', 'error', *pages)

    def test_every_manual_page_has_a_name_line(self):
        for path in (self.output / 'man').glob('man*/*'):
            said = re.search(r'\.SH NAME\n(.*)\n', path.read_text())[1]
            with self.subTest(path.name):
                self.assertRegex(said, rf'^{path.stem} \\- \S.*[^.]$')


@unittest.skipUnless(site_support.is_thorough, 'only with --thorough')
@unittest.skipUnless(shutil.which('chromium'), 'there is no chromium')
class Browser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.output = site_support.build()

    def test_pages_fit_and_break_no_name(self):
        paths = [f'/{path.relative_to(self.output)}' for part in ('en', 'zh_CN', 'single')
                 for path in sorted((self.output / part).rglob('*.html'))]
        self.assertGreater(len(paths), 60)
        for page in browser.measure(paths, WIDTHS):
            with self.subTest(page.path, width=page.width):
                self.assertTrue(page.title)
                self.assertLessEqual(page.content, page.width, page.sticking)
                self.assertEqual(page.broken, [])
                self.assertEqual(page.too_wide, [])
                self.assertTrue(page.scripted)

    def made_up(self, text, widths=(TELEPHONE,)):
        return list(browser.measure(['/made-up.html'], widths, text))

    def test_a_page_too_wide_would_be_seen(self):
        found = self.made_up('<h1>Wide</h1><div class="content"><p style="width: 500px">-</p></div>')
        self.assertGreater(found[0].content, TELEPHONE)

    def test_a_listing_too_wide_would_be_seen(self):
        """Also in a tab that is not chosen, and in an answer that is closed."""
        text = ('<style>pre { overflow: auto; width: 9em } .tab-content { display: none }'
                ' :checked + .tab-content { display: block }</style><div class="content">'
                '<pre>short</pre><details><pre>an answer that is too long</pre></details>'
                '<div class="tab-set"><input type="radio" name="a"><div class="tab-conten'
                't"></div><input type="radio" name="a"><div class="tab-content"><pre>a ta'
                'b that is too long</pre></div></div></div>')
        for found in self.made_up(text, WIDTHS):
            self.assertEqual(sorted({text[:8] for text in found.too_wide}),
                             ['a tab th', 'an answe'])

    def test_a_broken_name_would_be_seen(self):
        found = self.made_up('<html class="no-js"><div class="content" style="width: 3em"><code>'
                             '<span class="pre" style="overflow-wrap: anywhere">selectors</span>')
        self.assertEqual(found[0].broken, ['selectors'])
        self.assertFalse(found[0].scripted)

    def test_a_reader_can_choose_the_colours(self):
        with browser.Browser() as page:
            for part in ('en', 'zh_CN', 'single'):
                page.open(f'/{part}/index.html')
                page.evaluate('localStorage.clear()')
                page.open(f'/{part}/index.html')
                with self.subTest(part):
                    self.assertEqual(page.evaluate(THEME), 'auto')
                    page.evaluate("document.querySelector('.theme-toggle').click()")
                    self.assertIn(page.evaluate(THEME), ('light', 'dark'))

    def test_search_needs_no_server_of_its_own(self):
        with browser.Browser() as page:
            found = browser.search(page, 'en', 'sel_register')
        self.assertTrue([page for page in found if page.startswith('reference/selectors.html')])

    def test_search_finds_what_people_ask(self):
        """The page of questions is among the first three for the words that they use."""
        with browser.Browser() as page:
            for words in ASKED:
                with self.subTest(words):
                    found = browser.search(page, 'en', words)
                    self.assertTrue([page for page in found[:3] if page.startswith('faq.html')],
                                    found[:5])

    def test_the_cheat_sheet_is_one_sheet(self):
        with browser.Browser() as page:
            for part in ('en', 'zh_CN'):
                with self.subTest(part):
                    page.open(f'/{part}/cheat-sheet.html')
                    self.assertEqual(browser.sheets(page.printed()), 1)
            page.open('/en/faq.html')
            self.assertGreater(browser.sheets(page.printed()), 1)

    def test_search_in_chinese(self):
        text = (self.output / 'zh_CN' / 'index.html').read_text()
        paragraphs = ' '.join(re.findall(r'<p>([^<]*)', text))
        phrases = re.findall(r'[\u4e00-\u9fff]{4,}', paragraphs)
        with browser.Browser() as page:
            found = browser.search(page, 'zh_CN', max(phrases, key=len))
        self.assertTrue([page for page in found if page.startswith('index.html')])

    def test_pages_are_drawn(self):
        with browser.Browser() as page:
            for path in PICTURED:
                page.open(path)
                for width in (LAPTOP, TELEPHONE):
                    page.show(width, 900)
                    with self.subTest(path, width=width):
                        got, rows = browser.drawn_rows(page.picture())
                        self.assertEqual(got, width)
                        self.assertGreater(rows, BLANK_BELOW)


if __name__ == '__main__':
    unittest.main()
