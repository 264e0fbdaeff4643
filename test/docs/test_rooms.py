#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The rooms of lib/: each uses those below it, no files go in a circle, the picture is true."""

import unittest

import site_support  # noqa: F401 (docs/site is found from here on)
import rooms


class Rooms(unittest.TestCase):
    def test_a_room_uses_those_below_it(self):
        height = {room: len(rooms.ROOMS) - i for i, room in enumerate(rooms.ROOMS)}
        upwards = [(name, included) for name, included in rooms.includes()
                   if height[rooms.room_of(included)] > height[rooms.room_of(name)]]
        self.assertEqual(upwards, [])

    def test_every_file_is_in_a_room(self):
        found = {rooms.room_of(path.relative_to(rooms.LIB).as_posix())
                 for path in rooms.LIB.rglob('*.[ch]')}
        self.assertEqual(found, set(rooms.ROOMS))

    def test_no_files_go_in_a_circle(self):
        """A source and its header are one."""
        edges = {}
        for name, included in rooms.includes():
            edges.setdefault(name[:-2], set()).add(included[:-2])
        left = {name: used - {name} for name, used in edges.items()}
        while leaves := [name for name, used in left.items()
                         if not any(other in left for other in used)]:
            for name in leaves:
                del left[name]
        self.assertEqual(left, {})

    def test_the_picture_is_of_the_files_as_they_are(self):
        self.assertEqual(rooms.PICTURE.read_text(), rooms.draw())


if __name__ == '__main__':
    unittest.main()
