# SPDX-License-Identifier: MIT
"""The transcripts on the pages of the lessons (docs/transcripts) are what the programs
say: each scene is played again, in C and in Python.

Run as support.py says.  What differs from run to run, such as times, is left out of the
comparison; docs/site/scene_list.py says what that is for each lesson.
"""
import re
import sys
import unittest

import support

DOCS = support.TWINS.parent
sys.path.insert(0, str(DOCS / "site"))

from scene_list import SCENES, UNIT  # noqa: E402
from scenes import DESCRIPTORS, SIDES  # noqa: E402
from transcript import TRANSCRIPTS, path_of, play  # noqa: E402


class LessonPages(unittest.TestCase):
    maxDiff = None

    def assert_same(self, number):
        for side in SIDES:
            with self.subTest(side=side):
                comparable = SCENES[number].comparable
                shown = path_of(number, side).read_text().splitlines()
                played = play(number, side, support.programs)
                self.assertEqual(comparable(played), comparable(shown))

    def test_nothing_else_is_shown(self):
        paths = {path_of(number, side) for number in SCENES for side in SIDES}
        self.assertEqual(set(TRANSCRIPTS.glob("[0-9]*")), paths)

    def test_every_lesson_has_its_page(self):
        for number, scene in SCENES.items():
            page = (DOCS / "lessons" / f"{number:02}-{scene.name}.rst").read_text()
            for directive in ("transcript", "timeline"):
                self.assertIn(f".. {directive}:: {number:02}-{scene.name}\n", page)
            self.assertIn(".. side-by-side:: ", page)
            self.assertGreaterEqual(page.count(".. exercise::"), 2)
            self.assertEqual(page.count(".. exercise::"), page.count(".. answer::"))


class Shown(unittest.TestCase):
    """What the pages say of the recorded runs' numbers."""

    def lines(self, number):
        for side in SIDES:
            yield path_of(number, side).read_text().splitlines()

    def test_threads_lead_with_few_clients_and_the_loop_with_many(self):
        for lines in self.lines(14):
            rates = {row[0]: row[2:] for row in (list(map(int, line.split()))
                                                 for line in lines[3:])}
            for clients, leader in ((1, 0), (10, 0), (100, 1)):
                self.assertEqual(rates[clients].index(max(rates[clients])), leader, lines)

    def test_three_tasks_take_the_units_of_the_exercise(self):
        for lines, threads in zip(self.lines(15), (14, 15)):
            took = [re.search(r": ([\d.]+) s", line)[1] for line in lines if " s" in line]
            self.assertEqual([round(float(one) / UNIT) for one in took], [33, threads, 15])

    def test_the_slowest_in_a_hundred(self):
        """It waits two to four times as long as the middle one."""
        for lines in self.lines(10):
            middle, slow = (float(re.search(rf" {percent} % ([\d.]+)", lines[-1])[1])
                            for percent in (50, 99))
            self.assertEqual((slow > 1.95 * middle, slow < 4 * middle), (True, True), lines[-1])


def add_test(number):
    def test(self):
        support.need_descriptors(self, DESCRIPTORS if number == 10 else name)
        self.assert_same(number)
    name = SCENES[number].name.replace("-", "_")
    setattr(LessonPages, f"test_{number:02}_{name}", test)


for lesson in SCENES:
    add_test(lesson)

if __name__ == "__main__":
    support.main()
