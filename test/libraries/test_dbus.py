# SPDX-License-Identifier: MIT
"""libdbus on selkie, with a message bus of its own.  Run as backends.py says."""

import contextlib
import socket
import unittest

import backends
from backends import Server

CONFIGURATION = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
  <limit name="max_replies_per_connection">10000</limit>
</busconfig>
"""

server = None  # for the tests that leave it alone


def command(server):
    (server.folder / 'bus').unlink(missing_ok=True)
    (server.folder / 'conf').write_text(CONFIGURATION.format(path=server.folder / 'bus'))
    return [backends.tool('dbus-daemon', 'dbus-daemon'), '--nofork', '--nopidfile',
            '--nosyslog', f'--config-file={server.folder / "conf"}']


def is_up(server):
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(server.folder / 'bus'))
        return True
    return False


def address(server):
    return f'unix:path={server.folder / "bus"}'


def bus():
    return Server(command, is_up)


def setUpModule():
    global server
    server = bus()
    unittest.addModuleCleanup(server.close)


class Dbus:
    def test_example(self):
        ended = self.run_program('dbus', address(server))
        self.assert_succeeds(ended)
        self.assertRegex(ended.stdout, r'\Aorg\.freedesktop\.DBus\n(:1\.\d+\n)+\Z')

    def test_example_where_there_is_no_bus(self):
        ended = self.run_program('dbus', f'unix:path={server.folder / "none"}')
        self.assert_fails(ended)

    def test_example_where_the_bus_hangs_up(self):
        with backends.rude_server(str(server.folder / self.backend)) as path:
            ended = self.run_program('dbus', f'unix:path={path}')
        self.assert_fails(ended)

    def assert_counts(self, mode, count):
        ended = self.run_program('dbus_stress', mode, address(server), count)
        self.assert_succeeds(ended)
        self.assertEqual(ended.stdout, f'{count}, 0 wrong\n')

    def test_replies_come_in_their_order(self):
        self.assert_counts('calls', 2_000)

    def test_calls_that_nobody_answers(self):
        self.assert_counts('timeouts', 100)

    def test_signals_come_in_their_order(self):
        self.assert_counts('signals', 5_000)

    def test_what_a_blocking_call_has_read_is_handed_out(self):
        self.assert_counts('queued', 100)

    def test_the_bus_is_killed_and_comes_again(self):
        mortal = bus()
        self.addCleanup(mortal.close)
        self.assert_comes_again(mortal, 'dbus_stress', address(mortal))


backends.for_each_backend(Dbus, globals())


if __name__ == '__main__':
    backends.main()
