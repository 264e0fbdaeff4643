# SPDX-License-Identifier: MIT
"""What is recorded for the pages is refused where the machine shows in it."""

import contextlib
import io
import unittest
from unittest import mock

import site_support  # docs/site is found from here on

import quiet  # of docs/site
import recording
import scene_list
import timeline
import transcript
from strace import Call

BUSY = """\
$ three_tasks --unit 0.05
    one after another: 1.83 s
      task 1 |#...#...##                           |
    threads: 0.70 s
      task 1 |####...##...##   |
""".splitlines()


class Complaints(unittest.TestCase):
    def test_the_kept_runs_would_be_kept_again(self):
        for number, scene in scene_list.SCENES.items():
            for side in ('c', 'python'):
                lines = transcript.path_of(number, side).read_text().splitlines()
                with self.subTest(lesson=number, side=side):
                    self.assertIsNone(scene.complaint(lines))

    def test_steps_that_took_too_long(self):
        self.assertEqual(scene_list.steps_too_long(BUSY),
                         'a step took too long, one after another')
        rest = [line.replace('##', '#') for line in BUSY[:3]]
        self.assertIsNone(scene_list.steps_too_long(rest + BUSY[3:]))
        late = [line.replace('0.70', '0.92') for line in rest + BUSY[3:]]
        self.assertEqual(scene_list.steps_too_long(late), 'threads took 0.92 s')

    def test_a_pool_that_took_too_long(self):
        kept = transcript.path_of(19, 'c').read_text().splitlines()
        self.assertIn('took', scene_list.rounds_too_long(
            [*kept[:-1], '    apply took 1.04 s, apply_async 0.31 s']))

    def test_a_call_that_was_held_up(self):
        calls = [Call(1, 0, 0.05, name, []) for name in ('epoll_wait', 'recvfrom', 'exit')]
        self.assertIsNone(timeline.held_up(calls))
        slow = Call(1, 1, 1.04, 'epoll_ctl', [])
        self.assertEqual(timeline.held_up([*calls, slow]), 'epoll_ctl() took 40 ms')

    def test_figures_that_are_alike(self):
        lines = ['$ load --connections 9', '    3000 in 2.5 s']
        self.assertEqual(transcript.figures(lines), [3000, 2.5])
        self.assertTrue(quiet.are_alike([100, 2], [85, 2.2]))
        self.assertFalse(quiet.are_alike([100, 2], [75, 2]))
        self.assertFalse(quiet.are_alike([1], []))

    def test_others_work_is_seen(self):
        with mock.patch.object(quiet, 'used_by_all', side_effect=[100, 100.5]), \
                mock.patch.object(quiet, 'used_by_us', side_effect=[5, 5.1]), \
                mock.patch.object(quiet.time, 'monotonic', side_effect=[0, 1]):
            self.assertEqual(quiet.Watch().complaint(), 'others took 40% of a CPU')
        self.assertGreater(quiet.used_by_all(), quiet.used_by_us())

    def test_it_is_made_once_more(self):
        made = iter([('first', 'busy'), ('second', None)])
        said = io.StringIO()
        with mock.patch.object(quiet, 'PAUSE', 0), contextlib.redirect_stderr(said):
            self.assertEqual(quiet.made_at_rest('lesson 1', lambda: next(made)), 'second')
            self.assertEqual(said.getvalue(), 'lesson 1: busy; once more\n')
            with self.assertRaisesRegex(SystemExit, 'lesson 1: not recorded: busy'):
                quiet.made_at_rest('lesson 1', lambda: ('never', 'busy'))


class Lines(unittest.TestCase):
    """What addr2line says of a program, here without one."""

    def lines(self, tree):
        said = mock.Mock(stdout=f'0x1000\nmain\n{tree}/demo/echo.c:30\n')
        with mock.patch.object(recording.subprocess, 'run', return_value=said):
            return recording.c_lines(site_support.TOP / 'echo', ['0x1001'])

    def test_they_are_of_this_tree(self):
        self.assertEqual(self.lines(site_support.TOP),
                         {'0x1001': [('demo/echo.c', 30, 'main')]})

    def test_a_program_with_objects_of_another_tree_is_not_recorded(self):
        with self.assertRaisesRegex(SystemExit, 'of another tree'):
            self.lines('/another')


if __name__ == '__main__':
    unittest.main()
