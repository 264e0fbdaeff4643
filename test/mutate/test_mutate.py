#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What ./run mutate chooses to change, how it makes a change, and its list of equals."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import build  # noqa: E402
import changes  # noqa: E402
import equal  # noqa: E402
import reach  # noqa: E402


def made_of(statements):
    """What a function's statements can become, each in a line."""
    text = f'static int f(int a)\n{{\n{statements}\n}}\n'
    for change in changes.changes_of('f.c', text):
        made = changes.make(change, text)
        yield changes.in_a_line(made.split('\n', 2)[2].rpartition('}')[0])


class Changes(unittest.TestCase):
    def assert_become(self, statements, *wanted):
        self.assertEqual(sorted(made_of(statements)), sorted(wanted))

    def test_a_comparison_is_turned_and_moved(self):
        self.assert_become('x = a > b;', 'x = a <= b ;', 'x = a >= b ;', ';')
        self.assert_become('x = a == b;', 'x = a != b ;', ';')

    def test_an_operator_is_exchanged(self):
        self.assert_become('x = a && b;', 'x = a || b ;', ';')
        self.assert_become('x = a + b;', 'x = a - b ;', ';')
        self.assert_become('x = a & b;', 'x = a | b ;', ';')

    def test_a_constant_is_off_by_one(self):
        self.assert_become('x = 0;', 'x = 1 ;', ';')
        self.assert_become('x = 0x10u;', 'x = 17u ;', 'x = 15u ;', ';')
        self.assert_become('x = 0666;', ';')

    def test_a_sign_before_an_operand_is_dropped(self):
        self.assert_become('x = -a;', 'x = a ;', ';')
        self.assert_become('x = &a;', ';')
        self.assert_become('x = !a;', 'x = a ;', ';')

    def test_a_condition_is_negated(self):
        self.assert_become('if (a) g();', 'if ( ! ( a ) ) g ( ) ;', 'if ( a ) ;')
        self.assert_become('while (a\n|| b)\n;', 'while ( ! ( a || b ) ) ;',
                           'while ( a && b ) ;')

    def test_what_is_returned_is_zero(self):
        self.assert_become('return a;', 'return 0 ;')
        self.assert_become('if (a) return; g();', 'if ( a ) ; g ( ) ;', 'if ( a ) return ; ;',
                           'if ( ! ( a ) ) return ; g ( ) ;')

    def test_no_declaration_is_dropped(self):
        for text in ('int b;', 'struct a b = {c};', 'a **b;', 'static int b;', 'a b[] = {c};'):
            self.assert_become(text)

    def test_a_statement_in_a_case_a_loop_or_an_else_is_dropped(self):
        self.assert_become('case b: g();', 'case b : ;')
        self.assert_become('for (;;) g();', 'for ( ; ; ) ;')
        self.assert_become('do g(); while (h);', 'do ; while ( h ) ;',
                           'do g ( ) ; while ( ! ( h ) ) ;')
        self.assert_become('if (a) { } else g();', 'if ( a ) { } else ;',
                           'if ( ! ( a ) ) { } else g ( ) ;')

    def test_a_statement_on_two_lines_leaves_two(self):
        text = 'void f(void)\n{\n    g(a,\n      b);\n    h();\n}\n'
        made = {changes.make(change, text) for change in changes.changes_of('f.c', text)}
        self.assertEqual(made, {'void f(void)\n{\n    \n;\n    h();\n}\n',
                                'void f(void)\n{\n    g(a,\n      b);\n    ;\n}\n'})

    def test_only_code_is_changed(self):
        for text in ('// a > b', '/* a;\n b > 0; */', '"a > b \\" && 1";', "'\\'';",
                     '\n#define A 1 \\\n > 2\n', '\n  #if A > 1 /* or\n a > b */\n'):
            self.assert_become(text)
        outside = 'enum { A = 1 };\nstatic int a = 1 + 2;\nstruct b c = {!e};\nint f(int);\n'
        self.assertEqual(list(changes.changes_of('f.c', outside)), [])

    def test_a_change_knows_where_it_is(self):
        text = '/* f\n*/\nstatic int f(int a)\n{\n    b;\n    return a +\n        1;\n}\n'
        where = {(change.function, change.first, change.line): changes.lines_of(change, text)
                 for change in changes.changes_of('f.c', text) if change.new == '2'}
        self.assertEqual(where, {('f', 3, 7): ('        1;', '        2;')})

    def test_every_function_of_the_library_is_found(self):
        """One begins, here, where a line has nothing but a brace."""
        for path in sorted((build.TOP / 'lib').rglob('*.[ch]')):
            with self.subTest(path.name):
                text = path.read_text()
                found = list(changes.functions(changes.words_of(text)))
                self.assertEqual(len(found), text.count('\n{\n'))
                self.assertTrue(all(text[body[-1].end - 2:body[-1].end] == '\n}'
                                    for _, body in found))


class Equal(unittest.TestCase):
    def test_what_is_listed_can_be_made_and_has_a_reason(self):
        """A line that has changed may have made another program of it."""
        can_be_made = set()
        for path in (build.TOP / 'lib').rglob('*.[ch]'):
            text = path.read_text()
            can_be_made.update(equal.key(change, text) for change in changes.changes_of(
                str(path.relative_to(build.TOP)), text))
        for entry, reason in equal.read().items():
            with self.subTest(entry):
                self.assertIn(entry, can_be_made)
                self.assertTrue(reason)

    def test_neither_its_place_nor_its_comment_tells_a_line_from_another(self):
        entries = equal.parse('# of all\n\nf.c: f\n-    a > b; /* so */\n+a >= b;\n  because\n'
                              '  of it\n')
        self.assertEqual(entries, {('f.c', 'f', 'a > b ;', 'a >= b ;'): 'because of it'})


class Reached(unittest.TestCase):
    def test_a_line_without_a_count_belongs_to_the_one_above(self):
        reached = reach.Reach({'a': {'f.c': {'3': 1, '5': 0, '9': 0}},
                               'b': {'f.c': {'3': 0, '5': 7, '9': 1}}})
        change = changes.Change('f.c', 'f', 3, 7, 0, 0, '')
        self.assertEqual(reached.of(change), ['b'])
        self.assertEqual(reached.of(change._replace(line=5)), ['b'])
        self.assertIsNone(reached.of(change._replace(line=2)))
        self.assertIsNone(reached.of(change._replace(first=6)))
        self.assertIsNone(reached.of(change._replace(file='g.c')))


if __name__ == '__main__':
    unittest.main()
