# SPDX-License-Identifier: MIT
"""The page that `./run bench` writes, from figures made up here; none of them is judged."""

import pathlib
import re
import shutil
import sys
import tempfile
import unittest
import xml.dom.minidom

import site_support

sys.path.insert(0, str(site_support.TOP / 'test' / 'bench'))
import about
import benchmarks
import page
from tools import Goal, Plot, Result

FACTS = {'CPU': 'a fine one', 'cores': 2}
CURVES = {'epoll': [(1, 100), (100, 120)], 'selkie/epoll': [(1, 110), (100, 140)],
          'libuv, recording': [(1, 2000000), (100, 300)], 'a newcomer': [(100, 7)]}


def result(title, rows=3, plots=(), goals=()):
    table = [['selkie/uv', 1.5, '-'], ['epoll', 1, ''], *[['libev', 2, 'a_b']] * (rows - 2)]
    return Result(title, ['', 'ratio', 'more'], table, [], list(goals), list(plots), 'A note.')


class About(unittest.TestCase):
    def test_every_benchmark_says_what_it_measures(self):
        self.assertEqual(set(benchmarks.BENCHMARKS), set(about.ABOUT))
        for name, (heading, text) in about.ABOUT.items():
            with self.subTest(name):
                self.assertRegex(heading, r'^[A-Z].*\w$')
                self.assertRegex(text, r'[.?]$')

    def test_one_without_words_has_its_title(self):
        self.assertEqual(about.about('new', result('a new one')), ('A new one', ''))


@unittest.skipUnless(shutil.which('gnuplot'), 'there is no gnuplot')
class Page(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        plots = [Plot(name, 'epoll_wait = 1', 'descriptors', 'a_b', CURVES, is_logarithmic)
                 for name, is_logarithmic in (('one', True), ('two', False))]
        page.write_page(self.folder, FACTS, {
            'all-ready': result('a look', 30, plots, [Goal('near', 1.0, 2, 0.9, 1.1),
                                                      Goal('far', 3.0, 2)]),
            'heap': result('memory')})
        self.text = (self.folder / 'figures.rst').read_text()

    def test_it_begins_with_the_machine_and_the_goals(self):
        titles = re.findall(r'^(.+)\n---+$', self.text, re.M)
        self.assertEqual(titles, ['The machine', 'The goals', about.ABOUT['all-ready'][0],
                                  about.ABOUT['heap'][0]])
        self.assertIn('a fine one', self.text)
        self.assertIn('1 of 2 goals are met.', self.text)

    def test_what_is_missed_is_said(self):
        missed = self.text[self.text.index('Missed:'):self.text.index('``./run bench')]
        self.assertIn('far', missed)
        self.assertNotIn('near', missed)

    def test_a_long_table_is_folded_where_a_plot_says_the_same(self):
        self.assertEqual(self.text.count('.. all-figures::'), 1)
        folded = self.text.index('.. all-figures::')
        self.assertLess(self.text.index('.. plot:: two'), folded)
        self.assertLess(folded, self.text.index('Memory\n---'))

    def test_no_cell_is_a_list(self):
        self.assertNotRegex(self.text, r'(?m)^ +[-*] +[-*+]$')

    def test_plots_take_the_colours_of_the_page(self):
        for name in re.findall(r'\.\. plot:: (\S+)', self.text):
            text = (self.folder / f'{name}.svg').read_text()
            with self.subTest(name):
                self.assertEqual(xml.dom.minidom.parseString(text).documentElement.tagName, 'svg')
                self.assertNotRegex(text, r'=["\'](black|rgb\( *0, *0, *0\))')
                self.assertIn('selkie/epoll', text)
                self.assertIn('epoll_wait = 1', text)

    def test_plots_on_one_page_have_names_of_their_own(self):
        texts = [(self.folder / f'{name}.svg').read_text() for name in ('one', 'two')]
        one, two = (set(re.findall(r'\bid=["\']([^"\']+)', text)) for text in texts)
        used = set(re.findall(r'xlink:href=["\']#([^"\']+)', texts[0]))
        self.assertEqual(one & two, set())
        self.assertLessEqual(used, one)
        self.assertTrue(used)


if __name__ == '__main__':
    unittest.main()
