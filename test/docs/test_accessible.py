# SPDX-License-Identifier: MIT
"""axe-core finds nothing on any page: both themes, a desk and a telephone, both languages.

With --thorough, which asks of the Chinese pages those at the top; with --full all.  axe-core
comes from npm into build/, and its hash stands here; where npm can't give it, this is skipped
and says why.  What it can't see is tried with keys: the way past the side bars and into them,
and what is on paper.
"""

import base64
import contextlib
import hashlib
import re
import shutil
import subprocess
import tarfile
import unittest

import browser
import site_support

PACKAGE, VERSION = 'axe-core', '4.14.1'
SHA512 = ('FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37Og'
          'udVGtQ==')
FOLDER = site_support.TOP / 'build' / 'axe'
WIDTHS = 1280, 390
# What depends on the theme is asked in each; of what is said for every word of a listing,
# one word of each colour is enough.
PREPARE = '''{
  for (const details of document.querySelectorAll('details'))
    details.open = true;
  const seen = new Set();
  const isNew = (kind) => !seen.has(kind) && seen.add(kind);
  for (const word of document.querySelectorAll('.highlight pre span:not(:has(span))'))
    if (!isNew(`${word.parentElement.className} ${word.className}`))
      word.replaceWith(...word.childNodes);
}'''
LOOK = '''axe.run(document, {resultTypes: ['violations'], %s}).then((found) =>
  found.violations.flatMap(({id, nodes}) => nodes.map((node) =>
    `${id}: ${node.target.join(' ')}: ${node.failureSummary}`)))'''
COLOURS = "runOnly: ['color-contrast', 'link-in-text-block']"


def fetched():
    """axe-core's archive, from npm if it isn't here yet."""
    archive = FOLDER / f'{PACKAGE}-{VERSION}.tgz'
    if not archive.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        ended = subprocess.run(
            ['npm', 'pack', f'{PACKAGE}@{VERSION}', '--loglevel=error', '--fetch-retries=0',
             '--no-update-notifier', f'--pack-destination={FOLDER}'], timeout=site_support.PATIENCE, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if ended.returncode != 0 or not archive.exists():
            said = ended.stdout.strip().splitlines() or [f'it gave {ended.returncode}']
            raise unittest.SkipTest(f'npm has no {PACKAGE} for us: {said[0]}')
    return archive


def axe():
    """Its script, once the archive is known to be the one that was looked at."""
    archive = fetched()
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != SHA512:
        raise AssertionError(f'{archive} is another: sha512-{found}')
    with tarfile.open(archive) as opened:
        return opened.extractfile('package/axe.min.js').read().decode()


@unittest.skipUnless(site_support.is_thorough, 'only with --thorough')
@unittest.skipUnless(shutil.which('chromium'), 'there is no chromium')
@unittest.skipUnless(shutil.which('npm'), 'there is no npm')
class Accessible(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.script = axe()
        cls.output = site_support.build()

    def findings(self, paths, made_up=''):
        """(page, width, theme, [what is wrong]) of each that has any."""
        with browser.Browser(made_up) as page:
            page.call('Page.addScriptToEvaluateOnNewDocument', source=self.script)
            for path in paths:
                page.show(WIDTHS[0], 900)
                page.open(path)
                page.evaluate(PREPARE)
                for width in WIDTHS:
                    for theme, asked in (('light', ''), ('dark', COLOURS)):
                        page.show(width, 900, theme == 'dark')
                        if found := page.evaluate(LOOK % asked):
                            yield path, width, theme, found

    def check(self, part, pages='**/*.html'):
        paths = [f'/{path.relative_to(self.output)}'
                 for path in sorted((self.output / part).glob(pages))]
        self.assertTrue(paths)
        for path, width, theme, found in self.findings(paths):
            with self.subTest(path, width=width, theme=theme):
                self.assertEqual(found, [])

    def test_english(self):
        self.check('en')

    def test_chinese(self):
        """The pages are the English ones with other words: some stand for all."""
        self.check('zh_CN', '**/*.html' if site_support.is_full else '*.html')

    @unittest.skipUnless(site_support.is_full, 'only with --full: it is all pages once more')
    def test_single(self):
        self.check('single')

    def test_what_is_wrong_would_be_found(self):
        text = ('<!doctype html><html lang="en"><title>x</title><main><article><h1>x'
                '</h1><style>:root { color-scheme: light dark } @media (prefers-color'
                '-scheme: dark) { p { color: #444; background: #222 } }</style><p>A '
                'text.</p><div style="width: 40em"><input></div></article></main>')
        found = {(width, theme): sorted({re.match('[-a-z]+', one)[0] for one in said})
                 for _, width, theme, said in self.findings(['/made-up.html'], text)}
        self.assertEqual(found, {
            (width, theme): wrong for width in WIDTHS
            for theme, wrong in (('light', ['label']), ('dark', ['color-contrast']))})


@unittest.skipUnless(site_support.is_thorough, 'only with --thorough')
@unittest.skipUnless(shutil.which('chromium'), 'there is no chromium')
class Keys(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.output = site_support.build()

    @contextlib.contextmanager
    def opened(self, width):
        with browser.Browser() as page:
            page.show(width, 900)
            page.open('/en/lessons/02-select-loop.html')
            yield page

    def press(self, page, key, code, text=''):
        for kind in ('keyDown', 'keyUp'):
            page.call('Input.dispatchKeyEvent', type=kind, key=key, code=key, text=text,
                      windowsVirtualKeyCode=code)

    def test_the_first_leads_to_the_content(self):
        with self.opened(WIDTHS[0]) as page:
            self.press(page, 'Tab', 9)
            self.assertEqual(page.evaluate('document.activeElement.className'), 'skip')
            self.assertTrue(page.evaluate(
                'document.activeElement.getBoundingClientRect().left >= 0'))
            self.press(page, 'Enter', 13, '\r')
            page.wait_for("document.activeElement.id === 'content'")

    def test_the_side_bars_open(self):
        with self.opened(WIDTHS[1]) as page:
            for button, bar in (('nav-overlay-icon', 'sidebar'), ('toc-header-icon', 'toc')):
                page.evaluate(f"document.querySelector('button.{button}').focus()")
                said = ('document.activeElement.ariaExpanded + getComputedStyle(document'
                        f".querySelector('.{bar}-drawer')).visibility")
                self.assertEqual(page.evaluate(said), 'falsehidden')
                self.press(page, 'Enter', 13, '\r')
                self.assertEqual(page.evaluate(said), 'truevisible')
                self.press(page, 'Enter', 13, '\r')

    def test_answers_are_open_on_paper(self):
        closed = ("[...document.querySelectorAll('details.answer > p')]"
                  ".filter(e => !e.checkVisibility()).length")
        with self.opened(WIDTHS[0]) as page:
            self.assertGreater(page.evaluate(closed), 0)
            page.call('Emulation.setEmulatedMedia', media='print')
            self.assertEqual(page.evaluate(closed), 0)

    def test_what_is_copied_is_the_text(self):
        """Also where its lines are too long for the window."""
        other = ("[...document.querySelectorAll('pre')].filter(e => e.checkVisibility())"
                 ".map(e => [e.textContent.trimEnd(), e.innerText.trimEnd()])")
        with self.opened(WIDTHS[1]) as page:
            found = page.evaluate(other)
            self.assertGreater(len(found), 5)
            for wanted, copied in found:
                self.assertEqual(copied, wanted)


if __name__ == '__main__':
    unittest.main()
