# SPDX-License-Identifier: MIT
"""Every public function is documented where it is declared, field by field.

The reference and the manual pages are made from those comments, so what is here is there.
"""

import re
import unittest

import site_support

import headers  # of docs/site/_ext

EVERY_ONE = ('Errors', 'Thread', 'Python', 'Since')
CODE = re.compile(r'-E[A-Z]+')


def functions():
    return [(entry, name) for header in headers.read_all() for entry in header.entries
            if entry.kind == 'function' for name in entry.names]


class Reference(unittest.TestCase):
    def test_it_has_every_exported_function(self):
        text = (site_support.TOP / 'lib' / 'selkie.map').read_text()
        exported = re.findall(r'\b(sel_\w+);', text)
        self.assertEqual(sorted(exported), sorted(name for _, name in functions()))

    def test_every_function_has_errors_thread_counterpart_and_since(self):
        for entry, name in functions():
            with self.subTest(name):
                self.assertEqual([f for f in EVERY_ONE if f not in entry.fields], [])

    def test_who_owns_what_is_said_where_pointers_change_hands(self):
        for entry, name in functions():
            if headers.hands_over(entry, name):
                with self.subTest(name):
                    self.assertIn('Owner', entry.fields)

    def test_the_fields_keep_their_order(self):
        for entry, name in functions():
            with self.subTest(name):
                wanted = [f for f in headers.FIELDS if f in entry.fields]
                self.assertEqual(list(entry.fields), wanted)

    def test_errors_are_read_whole(self):
        """No code of a field is lost between the header and the page."""
        for entry, name in functions():
            text = entry.fields.get('Errors', '')
            found = ' '.join(f'{codes} {said}' for codes, said in headers.errors_of(text))
            with self.subTest(name):
                self.assertEqual(CODE.findall(text), CODE.findall(found))
                self.assertTrue(text.strip() or 'Errors' not in entry.fields)

    def test_every_type_and_constant_is_explained(self):
        for header in headers.read_all():
            for entry in header.entries:
                with self.subTest(entry.names):
                    self.assertGreater(len(entry.summary.split()), 2)


if __name__ == '__main__':
    unittest.main()
