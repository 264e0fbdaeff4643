# SPDX-License-Identifier: MIT
"""Loops that do one thing otherwise than asyncio's: the judge has to see each of them."""

import contextvars

from asyncio import events

from asyncio_loop import SelkieEventLoop


class LastTaskFirst(SelkieEventLoop):
    def __init__(self, *selector):
        self.stack = []
        super().__init__(*selector)

    def _call_soon(self, callback, args, context):
        handle = events.Handle(callback, args, self, context)
        self.stack.append(handle)
        super()._call_soon(self.pop, (), None)
        return handle

    def pop(self):
        handle = self.stack.pop()
        if not handle.cancelled():
            handle._run()


class WithinThePass(SelkieEventLoop):
    """What a callback queues runs before the pass ends."""

    def _call_soon(self, callback, args, context):
        if not self.is_running():
            return super()._call_soon(callback, args, context)
        handle = events.Handle(callback, args, self, context)
        self._due.append(handle)
        return handle


class PostedLast(SelkieEventLoop):
    """Tasks of another thread's come after all others."""

    def call_soon_threadsafe(self, callback, *args, context=None):
        return self.call_soon(self.call_soon, callback, *args, context=context)


class NothingEarlier(SelkieEventLoop):
    """A negative delay is none."""

    def call_later(self, delay, callback, *args, context=None):
        return super().call_later(max(0, delay), callback, *args, context=context)


class TimersAsMade(SelkieEventLoop):
    """A time that has passed is now."""

    def call_at(self, when, callback, *args, context=None):
        return super().call_at(max(when, self.time()), callback, *args, context=context)


class ReadersLate(SelkieEventLoop):
    """Readers run in the next pass."""

    def _add_reader(self, fd, callback, *args):
        return super()._add_reader(fd, self.call_soon, callback, *args)


class WritersStay(SelkieEventLoop):
    """What was removed is called once more."""

    def _remove_writer(self, fd):
        number = self._writers.get(fd if isinstance(fd, int) else fd.fileno())
        handle = self._calls.get(number)
        if handle is not None:
            self.call_soon(handle._callback, *handle._args)
        return super()._remove_writer(fd)


class RestIsLost(SelkieEventLoop):
    """What was to run after an interruption does not."""

    def _run_once(self):
        self._due.clear()
        super()._run_once()


class StopsAtOnce(SelkieEventLoop):
    """The rest of the pass is for the next run."""

    def _come(self, handle):
        if self._stopping:
            self._due.append(handle)
        else:
            super()._come(handle)


class OneContext(SelkieEventLoop):
    """A callback's context is not that which it was made in."""

    context = contextvars.copy_context()

    def _push(self, call, handle):
        handle._context = self.context
        return super()._push(call, handle)


ALL = [LastTaskFirst, WithinThePass, PostedLast, NothingEarlier, TimersAsMade, ReadersLate,
       WritersStay, RestIsLost, StopsAtOnce, OneContext]
