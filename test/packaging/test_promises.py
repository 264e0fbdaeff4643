#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the headers promise and only a program built from an installed tree can show."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import textwrap
import unittest

import tree

NOBODY = 65534

# Says which backend it got, or the error, and dispatches one task for the trace.
OPENS = '''
#include <selkie.h>
#include <stdio.h>

static void task(sel_selector *sel, void *data)
{
    (void)sel;
    (void)data;
}

int main(void)
{
    sel_selector *sel;
    int error = sel_open(SEL_BACKEND_DEFAULT, &sel);

    if (error < 0) {
        printf("error %d\\n", -error);
        return 0;
    }
    sel_call_soon(sel, task, NULL);
    sel_run(sel);
    puts(sel_backend_name(sel));
    return sel_close(sel);
}
'''

SERVES = '''
#include <selkie.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void accept_cb(sel_selector *sel, const sel_key *key, int mask)
{
    int fd = accept(key->fd, NULL, NULL);

    (void)sel;
    exit(mask == SEL_EVENT_READ && write(fd, "served", 6) == 6 ? 0 : 1);
}

int main(int argc, char **argv)
{
    int listener = atoi(argv[argc - 1]);

LISTING
}
'''

VERSIONS = '''
#include <selkie.h>
#include <stdio.h>

int main(void)
{
    return printf("%d.%d.%d %s\\n", SELKIE_VERSION_MAJOR, SELKIE_VERSION_MINOR,
                  SELKIE_VERSION_PATCH, sel_version()) < 0;
}
'''


class Promises(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.prefix = tree.install()
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.directory = pathlib.Path(directory.name)
        cls.directory.chmod(0o777)

    def compile(self, name, text, *options):
        """A program with the library inside: a setuid one would not find the shared one."""
        flags = tree.pkg_config(self.prefix, '--static', '--cflags', '--libs')
        flags = ['-l:libselkie.a' if flag == '-lselkie' else flag for flag in flags]
        source, program = self.directory / f'{name}.c', self.directory / name
        source.write_text(text)
        tree.run('cc', '-std=gnu11', *options, source, *flags, '-o', program)
        return program

    def test_a_setuid_program_does_not_look_at_the_environment(self):
        program, trace = self.compile('opens', OPENS), self.directory / 'trace.json'
        environment = {
            'SELKIE_DEBUG': '1', 'SELKIE_SLOW_MS': '0', 'SELKIE_TRACE': str(trace)}
        self.assertIn('selkie: task', tree.run(program, env=environment))
        self.assertTrue(trace.exists())
        trace.unlink()
        environment['SELKIE_BACKEND'] = 'poll'
        self.assertIn('poll', tree.run(program, env=environment))
        trace.unlink()
        if os.geteuid() != 0 or os.statvfs(self.directory).f_flag & os.ST_NOSUID:
            self.skipTest('only root makes programs of other users, and not everywhere')
        os.chown(program, NOBODY, NOBODY)
        program.chmod(0o4755)
        self.assertEqual(tree.run(program, env=environment), 'uv\n')
        self.assertFalse(trace.exists())

    def test_the_listing_in_selectors_h_serves(self):
        header = (self.prefix / 'include' / 'selkie' / 'selectors.h').read_text()
        listing = re.search(r'\n((?: \*(?:     .*)?\n)+?) \*\n \* What holds', header)[1]
        code = textwrap.dedent(re.sub(r'(?m)^ \* ?', '', listing))
        program = self.compile('serves', SERVES.replace('LISTING', code))
        with socket.create_server(('127.0.0.1', 0)) as listener:
            server = subprocess.Popen([program, str(listener.fileno())],
                                      pass_fds=[listener.fileno()])
            self.addCleanup(server.kill)
            with socket.create_connection(listener.getsockname(), timeout=60) as client:
                client.settimeout(60)
                self.assertEqual(client.recv(100), b'served')
            self.assertEqual(server.wait(60), 0)

    def test_another_library_than_it_was_compiled_against_is_seen(self):
        """The macros are the headers', sel_version() is the library's."""
        include = self.directory / 'include'
        shutil.copytree(self.prefix / 'include', include)
        header = include / 'selkie' / 'version.h'
        text = header.read_text()
        header.write_text(re.sub(r'(_MAJOR|_MINOR|_PATCH) \d+\n', r'\1 9\n', text))
        program = self.compile('versions', VERSIONS, '-I', include)
        self.assertEqual(tree.run(program), f'9.9.9 {tree.version(self.prefix)}\n')


if __name__ == '__main__':
    unittest.main()
