# SPDX-License-Identifier: MIT
"""The players of the lessons: what is recorded can be true, and the pages show that.

docs/site/replay.py plays each recording (docs/timelines/*.json) and holds whatever was
recorded against what was before; that it sees what can't be is tried by leaving out or
changing one event after the other.  With --thorough the built pages are compared with the
recordings, and a browser steps through one.
"""

import ast
import contextlib
import copy
import html
import json
import re
import shutil
import sys
import unittest

import site_support
import test_translation

import browser  # noqa: E402
import recording  # noqa: E402
import steps  # noqa: E402
import timeline  # noqa: E402
from replay import Inconsistent, World  # noqa: E402
from scene_list import SCENES  # noqa: E402
from test_timeline import strace_works  # noqa: E402

PLAYED = {number: scene for number, scene in SCENES.items() if scene.plays}
KEYS = {'ArrowRight': 39, 'ArrowLeft': 37, 'Home': 36, 'End': 35, ' ': 32}
LARGEST = 100_000  # bytes of a page's data
SCROLLED_INTO = """(() => {
  document.documentElement.style.scrollBehavior = 'auto';
  document.querySelector('.player').scrollIntoView();
  scrollBy(0, 200);
  return [document.querySelector('.player-bar').getBoundingClientRect().top,
          document.querySelector('.mobile-header').getBoundingClientRect().bottom];
})()"""
TEXT = re.compile(r'<(?:title id="timeline|desc|text)[^>]*>([^<]+)</')
SHOWN = "getComputedStyle(document.querySelector('%s')).display !== 'none'"


def english(text, *values):
    return text.format(*values)


def play(side, scene):
    return list(steps.items_of(side, scene))


def recordings():
    """(lesson, its scene, a side's name, that side) of each."""
    for number, scene in PLAYED.items():
        for name, side in recording.load(number, scene).items():
            yield number, scene, name, side


def has_effect(event):
    """Can what follows tell whether this has happened?  Not of an error, of a wait, of an
    end that was read, of what a client read, and of a DEL before the close.
    """
    if 'act' in event:
        return event['act']['does'] != 'reads' and event['act']['who'] != 'bob'
    name, arguments, result, error = event.get('call', ('', (), '', ''))
    return (name in ('accept4', 'epoll_ctl', 'close', 'recvfrom', 'sendto', 'read')
            and not error and 'EPOLL_CTL_DEL' not in arguments
            and not (name in ('recvfrom', 'read') and result == '0'))


def changed(event):
    """The same event with another answer, or None: it had none that can be seen in it."""
    other = copy.deepcopy(event)
    name, arguments, result, error = call = other.get('call', ['', [], '', ''])
    if name == 'epoll_wait':
        arguments[1] = re.sub(r'events=EPOLL(IN|OUT)', 'events=EPOLLPRI', arguments[1])
    elif name in ('poll', 'pselect6'):
        result = re.sub(r'revents=POLL(IN|OUT)', 'revents=POLLPRI', result)
        call[2] = re.sub(r'\((in|out|except) \[', lambda found: '(out [' if found[1] == 'in'
                         else '(in [', result)
    elif name == 'accept4' and not error:
        call[2] = str(int(result) + 1)
    elif name in ('recvfrom', 'read', 'sendto') and result.isdigit() and result != '0':
        arguments[1] = '"?' + arguments[1][2:]
    return other if other != event else None


class Recordings(unittest.TestCase):
    def test_each_follows_from_what_was_before(self):
        for number, scene, name, side in recordings():
            with self.subTest(number, side=name):
                items = play(side, scene)
                self.assertGreater(len(items), 25)
                looks = sum('kernel' in event for event in side['events'])
                self.assertGreaterEqual(looks, 3)

    def test_what_is_left_out_is_missed(self):
        count = 0
        for number, scene, name, side in recordings():
            for i, event in enumerate(side['events']):
                if not has_effect(event):
                    continue
                with self.subTest(number, side=name, event=event):
                    less = {**side, 'events': side['events'][:i] + side['events'][i + 1:]}
                    with self.assertRaises(Inconsistent):
                        play(less, scene)
                    count += 1
        self.assertGreater(count, 100)

    def test_what_is_changed_is_seen(self):
        count = 0
        for number, scene, name, side in recordings():
            for i, event in enumerate(side['events']):
                other = changed(event)
                if other is None:
                    continue
                with self.subTest(number, side=name, event=event):
                    events = [*side['events'][:i], other, *side['events'][i + 1:]]
                    with self.assertRaises(Inconsistent):
                        play({**side, 'events': events}, scene)
                    count += 1
        self.assertGreater(count, 100)

    def test_what_the_kernel_says_is_compared(self):
        for number, scene, name, side in recordings():
            for what in ('descriptors', 'interest', 'unread'):
                other = copy.deepcopy(side)
                said = [e['kernel'][what] for e in other['events'] if 'kernel' in e][-1]
                if not said or not said[max(said, key=int)]:
                    continue
                with self.subTest(number, side=name, what=what):
                    del said[max(said, key=int)]
                    if what == 'unread':
                        said[min(said or {'3': 0}, key=int)] = 1
                    with self.assertRaises(Inconsistent):
                        play(other, scene)

    def test_the_pictures_are_drawn_from_them(self):
        for number, scene in PLAYED.items():
            items = [timeline.recorded(number, side) for side in steps.SIDES]
            path = timeline.TIMELINES / f'{number:02}-{scene.name}.svg'
            with self.subTest(number):
                self.assertEqual(path.read_text(), timeline.svg_of(number, items))

    def test_every_place_is_in_the_sources_as_they_are(self):
        """Where this fails a source has changed: docs/site/timeline.py records anew."""
        lines = recording.Sources()
        for number, scene, name, side in recordings():
            for place in side['places']:
                for one in place:
                    with self.subTest(number, side=name, place=one):
                        self.assertIsNotNone(lines.number(one))
                        self.assertEqual(function_at(one[0], lines.number(one)), one[1])

    def test_every_call_that_is_shown_has_a_place(self):
        for number, scene, name, side in recordings():
            for item in play(side, scene):
                if item.kind in ('call', 'sleep'):
                    with self.subTest(number, side=name, call=item.text):
                        place = side['places'][item.call.place]
                        wanted = {'c': 'demo/', 'python': 'docs/twins/'}[name]
                        self.assertTrue(place and place[-1][0].startswith(wanted))


def function_at(file, number):
    """Which function a line is in."""
    text = (site_support.TOP / file).read_text()
    if file.endswith('.py'):
        found = [node for node in ast.walk(ast.parse(text))
                 if isinstance(node, ast.FunctionDef)
                 and node.lineno <= number <= node.end_lineno]
        return max(found, key=lambda node: node.lineno).name if found else '<module>'
    for line in reversed(text.splitlines()[:number]):
        if named := re.match(r'\w.*?\b(\w+)\(', line):
            return named[1]
    return None


@unittest.skipUnless(site_support.is_thorough, 'only with --thorough')
@unittest.skipUnless(strace_works(), "strace can't trace here")
class RecordingAnew(unittest.TestCase):
    def test_a_run_of_today_gives_the_same_steps(self):
        """In C with the lines that gcc's tables give, in Python with the profiler's."""
        programs, scene = site_support.program('epoll_loop').parent, SCENES[5]
        kept, new = (steps.make_steps(sides, scene, english) for sides in (
            recording.load(5, scene), timeline.record_soundly(scene, programs)))
        for was, now in zip(kept['steps'], new['steps'], strict=True):
            self.assertEqual(was['says'], now['says'])
            for side in steps.SIDES:
                self.assertEqual(was[side]['changes'], now[side]['changes'])
                self.assertEqual(kept['places'][was[side]['place']][0],
                                 list(new['places'][now[side]['place']][0]))


class Worlds(unittest.TestCase):
    """A World of its own, without a recording."""

    SIDE = {'start': {'names': {'3': 'listener'}, 'kernel': {
        'descriptors': {'0': 'tty', '1': 'tty', '2': 'tty', '3': 'socket'},
        'interest': {}, 'unread': {}}}}

    def world(self):
        return World(self.SIDE, {}, lambda name: name)

    def call(self, world, name, *arguments, result='0', error=''):
        world.call(recording.Call(0, 0, 0, name, list(arguments), result, error), 'call')

    def test_an_echo(self):
        world = self.world()
        world.act({'who': 'A', 'does': 'connects'})
        self.assertEqual(world.ready({3: {'IN'}}), {3: {'IN'}})
        self.call(world, 'accept4', '3', 'NULL', 'NULL', '0', result='4')
        self.assertEqual(world.ready({3: {'IN'}, 4: {'IN'}}), {})
        world.act({'who': 'A', 'does': 'sends', 'data': 'hello'})
        self.assertEqual(world.ready({4: {'IN'}}), {4: {'IN'}})
        self.call(world, 'recvfrom', '4', '"hello"', '99', '0', result='5')
        self.assertEqual(world.peers['A'].queue, b'hello')
        self.call(world, 'sendto', '4', '"hello"', '5', '0', result='2')
        self.assertEqual((world.peers['A'].queue, world.peers['A'].sent), (b'llo', b'he'))

    def test_what_can_not_be(self):
        with self.assertRaises(Inconsistent):  # nobody has come
            self.call(self.world(), 'accept4', '3', 'NULL', 'NULL', '0', result='4')
        world = self.world()
        world.act({'who': 'A', 'does': 'connects'})
        with self.assertRaises(Inconsistent):  # 4 is free
            self.call(world, 'accept4', '3', 'NULL', 'NULL', '0', result='5')
        with self.assertRaises(Inconsistent):  # A is there
            self.call(self.world(), 'poll', '[{fd=3, events=POLLIN}]', '1', '9',
                      result='1 ([{fd=3, revents=POLLIN}])')


class Words(unittest.TestCase):
    def said(self):
        """The texts that are given to say(), or found by pictures.py in a timeline."""
        for file, name in (('steps.py', 'say'), ('_ext/player.py', 'say'),
                           ('_ext/pictures.py', 'phrase')):
            for node in ast.walk(ast.parse((site_support.SITE / file).read_text())):
                if isinstance(node, ast.Call) and \
                        getattr(node.func, 'id', getattr(node.func, 'attr', '')) == name:
                    self.assertIsInstance(node.args[0], ast.Constant, ast.unparse(node))
                    yield node.args[0].value

    def test_all_are_in_chinese(self):
        texts = test_translation.catalogue('player')
        self.assertEqual({entry.source for entry in texts}, set(self.said()))
        for entry in texts:
            with self.subTest(entry.source):
                self.assertEqual(list(test_translation.faults(entry)), [])
                self.assertEqual(entry.translation.count('{}'), entry.source.count('{}'))

    def test_a_step_says_what_both_do_and_what_has_changed(self):
        data = steps.make_steps(recording.load(5, SCENES[5]), SCENES[5], english)
        said = [(step['says'], step['c']['changes']) for step in data['steps']]
        self.assertIn(('A sends "hello".',
                       'Ready: A IN. Waiting in the kernel, from A: "hello".'), said)
        self.assertIn(('C and Python: recv(A) returns "hello".',
                       'Ready: nobody. In the program\'s queue, for A: "hello".'), said)

    def test_pages_stay_small(self):
        for number, scene in PLAYED.items():
            data = steps.make_steps(recording.load(number, scene), scene, english)
            self.assertLess(len(json.dumps(data)), LARGEST)
            for step in data['steps']:
                self.assertTrue(step['says'])


def page_of(number, part='en'):
    return site_support.OUTPUT / part / 'lessons' / f'{number:02}-{SCENES[number].name}.html'


def data_of(page):
    text = page.read_text()
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', text,
                                re.DOTALL)[1])


@unittest.skipUnless(site_support.is_thorough, 'only with --thorough')
class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        site_support.build()

    def test_they_show_what_was_recorded(self):
        for number, scene in PLAYED.items():
            with self.subTest(number):
                data, lines = data_of(page_of(number)), recording.Sources()
                made = steps.make_steps(recording.load(number, scene), scene, english)
                self.assertEqual(data['steps'], made['steps'])
                self.assertEqual(data['states'], made['states'])
                for place, stack in zip(data['places'], made['places']):
                    found = steps.where(stack, lines)
                    self.assertEqual(found, {key: place[key] for key in found})
                    self.assert_listed(data['code'], place)

    def assert_listed(self, code, place):
        """The line that the page has is the source's."""
        if place:
            blanks, html = code[place['file']][str(place['line'])]
            text = re.sub(r'<[^>]*>', '', html).replace('&lt;', '<').replace('&gt;', '>')
            text = re.sub('&#39;', "'", text.replace('&quot;', '"')).replace('&amp;', '&')
            source = (site_support.TOP / place['file']).read_text().splitlines()
            self.assertEqual(' ' * blanks + text, source[place['line'] - 1])

    def test_chinese_pages_show_the_same_in_chinese(self):
        for number in PLAYED:
            english_data, chinese = (data_of(page_of(number, part))
                                     for part in ('en', 'zh_CN'))
            self.assertEqual(len(english_data['steps']), len(chinese['steps']))
            for one, other in zip(english_data['steps'], chinese['steps']):
                self.assertEqual(one['c']['call'], other['c']['call'])
                self.assertNotEqual(one['says'], other['says'])

    def test_other_pages_load_nothing_of_it(self):
        for page in (site_support.OUTPUT / 'en').rglob('*.html'):
            text = page.read_text()
            with self.subTest(page.name):
                self.assertEqual('player.js' in text, 'class="player"' in text)

    def test_timelines_speak_the_language_of_their_page(self):
        """What happens and how it ends; calls, and what programs print, are as recorded."""
        english = (r'system calls in time|goes down|exited with| comes$|its handler|killed'
                   r'|→ (?:a|the|nobody|nothing)\b')
        for number in SCENES:
            texts = {part: TEXT.findall(page_of(number, part).read_text())
                     for part in ('en', 'zh_CN')}
            with self.subTest(number):
                self.assertEqual([text for text in texts['zh_CN'] if re.search(english, text)
                                  or recording.act_of(html.unescape(text))], [])
                for text, said in zip(texts['en'], texts['zh_CN'], strict=True):
                    self.assertEqual(re.findall(r'\w+\([^)]*\)', text),
                                     re.findall(r'\w+\([^)]*\)', said))


@unittest.skipUnless(site_support.is_thorough, 'only with --thorough')
@unittest.skipUnless(shutil.which('chromium'), 'there is no chromium')
class Browser(unittest.TestCase):
    """What a reader with a keyboard, and one without a script, have of lesson 5."""

    @classmethod
    def setUpClass(cls):
        site_support.build()

    @contextlib.contextmanager
    def opened(self, scripts=True):
        with browser.Browser() as page:
            page.show(1280, 800)
            page.call('Emulation.setScriptExecutionDisabled', value=not scripts)
            page.open(f'/en/lessons/{page_of(5).name}')
            yield page

    def press(self, page, key):
        for kind in ('keyDown', 'keyUp'):
            page.call('Input.dispatchKeyEvent', type=kind, key=key, code=key,
                      windowsVirtualKeyCode=KEYS[key])

    def said(self, page):
        return page.evaluate("document.querySelector('.player-says').textContent")

    def test_a_keyboard_steps_through(self):
        data = data_of(page_of(5))
        wanted = [f"{step['says']} {step['c']['changes']}" for step in data['steps']]
        with self.opened() as page:
            address = page.evaluate('location.href')
            self.assertFalse(page.evaluate(SHOWN % '.played .picture'))
            page.evaluate("document.querySelector('.player').focus()")
            said = [self.said(page)]
            for _ in wanted[1:]:
                self.press(page, 'ArrowRight')
                said.append(self.said(page))
            self.assertEqual(said, wanted)
            self.press(page, 'ArrowRight')  # there is nothing behind the end
            self.assertEqual(self.said(page), wanted[-1])
            self.press(page, 'ArrowLeft')
            self.assertEqual(self.said(page), wanted[-2])
            self.press(page, 'Home')
            self.assertEqual(self.said(page), wanted[0])
            self.assertEqual(page.evaluate('location.href'), address)
            self.assertEqual(page.complaints(), [])

    def test_what_is_shown_is_the_state(self):
        data = data_of(page_of(5))
        at = next(i for i, step in enumerate(data['steps'])
                  if 'recv(A) returns "hello"' in step['says'])
        with self.opened() as page:
            for name in ('c', 'python'):
                page.evaluate(f"document.querySelector('[data-show={name}]').click()")
                page.evaluate("(slider => {slider.value = %d; slider.dispatchEvent("
                              "new Event('input'))})(document.querySelector('.player input'))"
                              % at)
                state = data['states'][data['steps'][at][name]['state']]
                shown = page.evaluate(
                    "[...document.querySelectorAll('.player-descriptors li')]"
                    ".map(li => li.children[1].textContent)")
                self.assertEqual(shown, [row[1] for row in state['descriptors']])
                self.assertIn('"hello"', page.evaluate(
                    "document.querySelector('.player-queues tbody').textContent"))
                line = page.evaluate(f"document.querySelector('[data-lane={name}] .current"
                                     " .number').textContent")
                place = data['places'][data['steps'][at][name]['place']]
                self.assertEqual(int(line), place['line'])

    def test_it_speaks_and_is_silent_while_it_plays(self):
        live = "document.querySelector('.player-says').getAttribute('aria-live')"
        with self.opened() as page:
            self.assertEqual(page.evaluate(live), 'polite')
            page.evaluate("document.querySelector('.player').focus()")
            self.press(page, ' ')
            self.assertEqual(page.evaluate(live), 'off')
            page.wait_for("document.querySelector('.player input').value === '1'")
            self.press(page, ' ')
            self.assertEqual(page.evaluate(live), 'polite')
            unnamed = page.evaluate(
                "[...document.querySelectorAll('.player :is(button, input)')]"
                ".filter(e => !e.ariaLabel && !e.textContent.trim()).length")
            self.assertEqual(unnamed, 0)

    def test_without_a_script_there_is_the_picture(self):
        with self.opened(scripts=False) as page:
            self.assertTrue(page.evaluate(SHOWN % '.played .picture'))
            self.assertFalse(page.evaluate(SHOWN % '.player'))

    def test_on_paper_there_is_the_picture(self):
        with self.opened() as page:
            self.assertTrue(page.evaluate(SHOWN % '.player'))
            page.call('Emulation.setEmulatedMedia', media='print')
            self.assertTrue(page.evaluate(SHOWN % '.played .picture'))
            self.assertFalse(page.evaluate(SHOWN % '.player'))

    def test_it_fits_a_telephone(self):
        with self.opened() as page:
            for width, dark in ((390, False), (390, True), (320, True), (1440, False)):
                page.show(width, 800, dark)
                for at in range(0, len(data_of(page_of(5))['steps']), 6):
                    page.evaluate("document.querySelector('[data-go=next]').click()")
                    self.assertLessEqual(
                        page.evaluate('document.documentElement.scrollWidth'), width)

    def test_its_buttons_stay_below_the_header(self):
        """While one reads what is further down in it."""
        with self.opened() as page:
            for width in 390, 800, 1000:
                page.show(width, 600)
                top, header = page.evaluate(SCROLLED_INTO)
                self.assertGreaterEqual(round(top), round(header) - 1, width)
                self.assertLess(top, header + 20, width)


if __name__ == '__main__':
    unittest.main()
