#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test/setup.sh: what a verb needs is installed or asked for, what it wishes for only tried."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

import tree

SCRIPT = '''
top=$1
. "$2"
needs="group $3 package"
wishes="group no_such_module.py other@package"
need group
echo went on
'''
# It installs nothing, and says so.
APT_GET = '#!/bin/sh\necho "$@" >>"${0%/*}/asked"\nexit 100\n'


class Needs(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix='selkie needs ')
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        for name, text in ('apt-get', APT_GET), ('sudo', '#!/bin/sh\nexec "$@"\n'):
            (self.directory / name).write_text(text)
            (self.directory / name).chmod(0o755)

    def need(self, thing, path='"$1:$PATH"', script=SCRIPT):
        return subprocess.run(
            ['sh', '-c', f'PATH={path}\n{script}', 'sh', self.directory,
             tree.TEST / 'setup.sh', thing], text=True, capture_output=True, timeout=60,
            stdin=subprocess.DEVNULL)

    def test_a_wish_that_cannot_be_had_stops_nobody(self):
        ended = self.need('sh')
        self.assertEqual((ended.returncode, ended.stdout), (0, 'went on\n'))
        asked = (self.directory / 'asked').read_text()
        self.assertRegex(asked, r'install .* other(3\.\d+)?package\n')

    def test_a_need_that_cannot_be_met_is_the_end(self):
        ended = self.need('no_such_program')
        self.assertEqual((ended.returncode, ended.stdout), (1, ''))
        self.assertIn("run: please install package (Debian package names)", ended.stderr)
        self.assertNotIn('other', (self.directory / 'asked').read_text())

    def test_where_there_is_homebrew_and_no_apt_it_says_homebrews_names(self):
        (self.directory / 'apt-get').unlink()
        for tool in 'mkdir', 'sort', 'tr':
            (self.directory / tool).symlink_to(shutil.which(tool))
        (self.directory / 'brew').symlink_to(shutil.which('true'))
        script = SCRIPT.replace('$3 package', '$3 ninja-build')
        ended = self.need('no_such_program', path='"$1"', script=script)
        self.assertEqual((ended.returncode, ended.stdout), (1, ''))
        self.assertEqual(ended.stderr, "run: please install ninja (Homebrew's names), "
                                       "then try again\n")


if __name__ == '__main__':
    unittest.main()
