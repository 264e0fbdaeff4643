# SPDX-License-Identifier: MIT
"""docs/cheat-sheet.rst: what it says of units and errors, asked of the calls themselves.

Each call waits for 50 ms, said in the unit that the page tells, and is not early: in a
smaller unit it would be over at once.  A larger one would keep the test for a minute.
"""

import asyncio
import ctypes
import os
import re
import select
import selectors
import socket
import sys
import time
import unittest

import site_support

sys.path.insert(0, str(site_support.TOP / 'test' / 'python'))
import binding  # noqa: E402

WAIT, PATIENCE = 0.05, 30  # seconds
LIBC = ctypes.CDLL(None, use_errno=True)


class TimeSpec(ctypes.Structure):
    """And a timeval, which is the same but for its unit."""

    _fields_ = [('seconds', ctypes.c_long), ('parts', ctypes.c_long)]


class PollFd(ctypes.Structure):
    _fields_ = [('fd', ctypes.c_int), ('events', ctypes.c_short), ('revents', ctypes.c_short)]


def sheet():
    """{(call, language): the row's cells} of the first table."""
    text = (site_support.DOCS / 'cheat-sheet.rst').read_text()
    table = text.split('.. list-table::')[1]
    rows = {}
    for row in table.split('\n   * - ')[1:]:
        cells = [' '.join(cell.split()) for cell in row.split('\n     - ')]
        language = 'Python' if cells[0].endswith('Python') else 'C'
        rows[re.match(r'`*(\w+)', cells[0])[1], language] = cells
    return rows


class Sheet(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = sheet()

    def waits(self, call, side, unit, wait):
        """`wait` takes 50 ms and finds nothing."""
        with self.subTest(call, side=side):
            self.assertTrue(self.rows[call, side][2].startswith(
                ('``struct', f'**{unit}')), self.rows[call, side][2])
            self.assertIn(unit, self.rows[call, side][2])
            start = time.monotonic()
            found = wait()
            took = time.monotonic() - start
            self.assertFalse(found)
            self.assertGreaterEqual(took, WAIT)
            self.assertLess(took, PATIENCE)


class Rows(Sheet):
    def test_every_way_has_its_rows(self):
        self.assertEqual(set(self.rows), {
            *((call, side) for call in ('select', 'poll', 'epoll', 'kqueue')
              for side in ('C', 'Python')),
            ('selectors', 'Python'), ('selkie', 'C'), ('its', 'C'), ('asyncio', 'Python')})
        for row, cells in self.rows.items():
            with self.subTest(row):
                self.assertEqual([len(cells), '' in cells], [6, False])


class Units(Sheet):
    def test_in_c(self):
        epoll = LIBC.epoll_create1(0)
        self.addCleanup(os.close, epoll)
        room = ctypes.create_string_buffer(64)
        nobody = PollFd(-1, 1, 0)
        self.waits('select', 'C', 's and µs', lambda: LIBC.select(
            0, None, None, None, ctypes.byref(TimeSpec(0, 50_000))))
        self.waits('poll', 'C', 'milliseconds', lambda: LIBC.poll(ctypes.byref(nobody), 1, 50))
        self.waits('epoll', 'C', 'milliseconds', lambda: LIBC.epoll_wait(epoll, room, 1, 50))

    @unittest.skipUnless(hasattr(LIBC, 'epoll_pwait2'), 'this libc has no epoll_pwait2')
    def test_epoll_pwait2(self):
        epoll = LIBC.epoll_create1(0)
        self.addCleanup(os.close, epoll)
        room = ctypes.create_string_buffer(64)
        start = time.monotonic()
        found = LIBC.epoll_pwait2(epoll, room, 1, ctypes.byref(TimeSpec(0, 50_000_000)), None)
        if found < 0:
            self.skipTest('this kernel has no epoll_pwait2')
        self.assertGreaterEqual(time.monotonic() - start, WAIT)
        self.assertIn('epoll_pwait2``: s and ns', self.rows['epoll', 'C'][2])

    def test_in_python(self):
        with select.epoll() as epoll:
            self.waits('epoll', 'Python', 'seconds', lambda: epoll.poll(WAIT))
        self.waits('select', 'Python', 'seconds', lambda: any(select.select([], [], [], WAIT)))
        self.waits('poll', 'Python', 'milliseconds', lambda: select.poll().poll(1000 * WAIT))
        with selectors.DefaultSelector() as sel:
            self.waits('selectors', 'Python', 'seconds', lambda: sel.select(WAIT))

    def test_asyncio(self):
        async def wait():
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), WAIT)
        # Its clock has a resolution, by which it counts what is due.
        start = time.monotonic()
        asyncio.run(wait())
        self.assertGreaterEqual(time.monotonic() - start, 0.9 * WAIT)
        self.assertIn('**seconds**. ``wait_for``: ``TimeoutError``',
                      self.rows['asyncio', 'Python'][2])

    def test_selkie(self):
        path = site_support.program('../lib/libselkie.so')
        if not path.exists() or b'__asan_init' in path.read_bytes():
            self.skipTest('no shared library here that Python can load')
        library = binding.load(path)
        for name in binding.available(library):
            sel = binding.Selector(library, name)
            self.addCleanup(sel.close)
            self.waits('selkie', 'C', 'seconds', lambda: sel.select(WAIT))

    def test_a_wait_without_end(self):
        """None and a negative number, where the page says that they are for ever: a timer
        ends the wait.
        """
        def after_a_while(wait):
            reader, writer = socket.socketpair()
            with reader, writer:
                child = os.fork()
                if child == 0:
                    time.sleep(WAIT)
                    os.write(writer.fileno(), b'x')
                    os._exit(0)
                try:
                    self.assertEqual(len(wait(reader)), 1)
                finally:
                    os.waitpid(child, 0)

        def by_poll(*timeout):
            def wait(sock):
                poll = select.poll()
                poll.register(sock, select.POLLIN)
                return poll.poll(*timeout)
            return wait

        def by_epoll(*timeout):
            def wait(sock):
                with select.epoll() as epoll:
                    epoll.register(sock, select.EPOLLIN)
                    return epoll.poll(*timeout)
            return wait

        for way in (by_poll, by_epoll):
            for timeout in ((), (None,), (-1,)):
                with self.subTest(way=way.__name__, timeout=timeout):
                    after_a_while(way(*timeout))
        for call in ('poll', 'epoll'):
            self.assertIn('``None`` or negative: for ever', self.rows[call, 'Python'][2])
        after_a_while(lambda sock: select.select([sock], [], [], None)[0])
        self.assertIn('``None``: for ever', self.rows['select', 'Python'][2])


class Errors(Sheet):
    """Python's exceptions in the cells of its rows."""

    def raises(self, cell, exception, call, *arguments):
        self.assertIn(f'``{exception.__name__}``', cell)
        with self.assertRaises(exception):
            call(*arguments)

    def setUp(self):
        self.reader, self.writer = os.pipe()
        self.addCleanup(os.close, self.reader)
        self.addCleanup(os.close, self.writer)

    def test_select(self):
        unit, limit, _, errors = self.rows['select', 'Python'][2:]
        self.raises(unit, ValueError, select.select, [], [], [], -1)
        self.raises(limit, ValueError, select.select, [1024], [], [], 0)
        with socket.socket() as closed:
            pass
        self.raises(errors, ValueError, select.select, [closed], [], [], 0)
        number = os.dup(self.reader)
        os.close(number)
        with self.assertRaisesRegex(OSError, 'Bad file descriptor'):
            select.select([number], [], [], 0)
        self.assertIn('``EBADF``', errors)

    def test_poll(self):
        errors = self.rows['poll', 'Python'][5]
        poll = select.poll()
        poll.register(self.reader, select.POLLIN)
        poll.register(self.reader, select.POLLIN)
        self.assertIn('``register`` twice: replaces', errors)
        self.raises(errors, KeyError, poll.unregister, self.writer)
        self.raises(errors, FileNotFoundError, poll.modify, self.writer, select.POLLOUT)

    def test_epoll(self):
        errors = self.rows['epoll', 'Python'][5]
        with select.epoll() as epoll, open(__file__) as file:
            epoll.register(self.reader, select.EPOLLIN)
            self.raises(errors, FileExistsError, epoll.register, self.reader, select.EPOLLIN)
            self.raises(errors, FileNotFoundError, epoll.modify, self.writer, select.EPOLLOUT)
            self.raises(errors, PermissionError, epoll.register, file, select.EPOLLIN)
        self.raises(errors, ValueError, epoll.poll, 0)

    def test_selectors(self):
        errors = self.rows['selectors', 'Python'][5]
        with selectors.EpollSelector() as sel, open(__file__) as file:
            sel.register(self.reader, selectors.EVENT_READ)
            self.raises(errors, KeyError, sel.register, self.reader, selectors.EVENT_READ)
            self.raises(errors, KeyError, sel.unregister, self.writer)
            self.raises(errors, ValueError, sel.register, self.writer, 0)
            self.raises(errors, PermissionError, sel.register, file, selectors.EVENT_READ)

    def test_asyncio_replaces_a_reader(self):
        called = []

        async def add_twice():
            loop = asyncio.get_running_loop()
            os.write(self.writer, b'x')
            loop.add_reader(self.reader, called.append, 'first')
            loop.add_reader(self.reader, called.append, 'second')
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            loop.remove_reader(self.reader)

        asyncio.run(add_twice())
        self.assertEqual(set(called), {'second'})
        self.assertIn('``add_reader`` twice: replaces', self.rows['asyncio', 'Python'][5])


if __name__ == '__main__':
    unittest.main()
