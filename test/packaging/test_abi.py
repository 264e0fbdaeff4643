#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The library's ABI is the one that was agreed on: abidiff against selkie.abi beside this.

A difference, even an addition, fails, so that none comes about unseen.  One that is meant
is accepted by

    python3 test/packaging/test_abi.py --renew

and what it changes in selkie.abi is looked at like any other change.  A call's going, or
another argument, or another size of a struct, takes a new `soversion` in meson.build.
"""

import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import unittest

import tree

HERE = pathlib.Path(__file__).resolve().parent
BASELINE = HERE / 'selkie.abi'
MACHINE = 'x86_64'  # the baseline's
CHANGED, INCOMPATIBLE = 4, 8  # bits of abidiff's exit status


def write_abi(prefix, path):
    tree.run('abidw', '--headers-dir', prefix / 'include',
             '--suppressions', HERE / 'abi.suppr', '--drop-private-types',
             '--exported-interfaces-only', '--no-corpus-path', '--no-comp-dir-path',
             '--no-show-locs', '--no-elf-needed', '--out-file', path,
             prefix / 'lib' / 'libselkie.so')


def differences(prefix):
    """(abidiff's exit status, what it says)"""
    with tempfile.NamedTemporaryFile(suffix='.abi') as now:
        # Of a library itself abidiff 2.2 would pass over what private types reach.
        write_abi(prefix, now.name)
        ended = subprocess.run(
            ['abidiff', BASELINE, now.name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=tree.PATIENCE)
    return ended.returncode, ended.stdout


@unittest.skipUnless(tree.is_thorough or shutil.which('abidiff'), 'there is no abidiff')
@unittest.skipUnless(platform.machine() == MACHINE, f'the baseline is {MACHINE}\'s')
class Abi(unittest.TestCase):
    def test_nothing_has_changed(self):
        status, said = differences(tree.install())
        self.assertEqual(status, 0, f'{said}\nIf it is meant: {sys.argv[0]} --renew')

    def test_the_baseline_names_every_function(self):
        text = BASELINE.read_text()
        for name in tree.declared():
            self.assertIn(f"mangled-name='{name}'", text)


@unittest.skipUnless(tree.is_thorough, 'only with --thorough')
@unittest.skipUnless(platform.machine() == MACHINE, f'the baseline is {MACHINE}\'s')
class Changes(unittest.TestCase):
    """What must be seen is seen."""

    def built_with(self, path, old, new):
        """The differences of a library that has `new` for `old` in one of its files."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        copy = pathlib.Path(directory.name) / 'selkie'
        tree.copy_sources(copy)
        text = (copy / path).read_text()
        self.assertIn(old, text)
        (copy / path).write_text(text.replace(old, new, 1))
        prefix = copy / 'prefix'
        tree.run('meson', 'setup', copy / 'build', copy, f'--prefix={prefix}', '-Dlibdir=lib',
                 *tree.build.NOTHING_MORE)
        tree.run('meson', 'install', '-C', copy / 'build')
        return differences(prefix)

    def test_nothing_is_seen_where_only_code_differs(self):
        self.assertEqual(self.built_with('lib/base/version.c', '{', '{\n;')[0], 0)

    def test_a_struct_that_grew(self):
        status, said = self.built_with(
            'include/selkie/selectors.h', 'struct sel_ready {',
            'struct sel_ready {\n    long more;')
        self.assertTrue(status & CHANGED, said)
        self.assertIn('more', said)

    def test_a_function_that_went(self):
        status, said = self.built_with('lib/selkie.map', 'sel_wakeup;', '')
        self.assertTrue(status & INCOMPATIBLE, said)
        self.assertIn('sel_wakeup', said)


if __name__ == '__main__':
    if sys.argv[1:] == ['--renew']:
        write_abi(tree.install(), BASELINE)
    else:
        unittest.main()
