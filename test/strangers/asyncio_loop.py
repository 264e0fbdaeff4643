# SPDX-License-Identifier: MIT
"""An event loop for asyncio, made of selkie's reactor.

Whatever asyncio's own loop does with its lists, its heap and its selector, this one asks
of the library: tasks, timers, readers and writers, signal handlers, the executor, running
and stopping.  What asyncio builds on top (transports, futures, streams, subprocesses) is
asyncio's, and so are the tests that it is judged by.

    loop = asyncio_loop.make_class(asyncio_library.Library(path))()

A callback's `data` is a number, and each kind of callback one C function, made once: what
is called is found by the number.
"""

import asyncio
import collections
import concurrent.futures
import ctypes
import itertools
import selectors
import signal
import weakref

from asyncio import events, futures, unix_events

from asyncio_library import Done, Key, Task, Timer, Work, check

BACKENDS = {'default': 0, 'uv': 1, 'epoll': 2, 'poll': 3, 'select': 4}
NAMES = {selectors.EpollSelector: 'epoll', selectors.PollSelector: 'poll',
         selectors.SelectSelector: 'select'}

def number_of(file):
    """The descriptor of a file object; one that is closed has none."""
    if isinstance(file, int):
        return file
    try:
        return int(file.fileno())
    except (AttributeError, TypeError, ValueError):
        raise ValueError(f'Invalid file object: {file!r}') from None


# --- what the library calls ---

loops = weakref.WeakValueDictionary()  # by their sel_selector
jobs = {}  # by their number: (loop, future, function, arguments, what came of it)
job_numbers = itertools.count(1)


def on_once(sel, number):
    loop = loops[sel]
    loop._come(loop._calls.pop(number))


def on_repeated(sel, number):
    loop = loops[sel]
    loop._come(loop._calls[number])


def on_work(number):
    """On a thread of the library's pool."""
    future, function, arguments, outcome = jobs[number]
    if not future.set_running_or_notify_cancel():
        return
    try:
        outcome.append((future.set_result, function(*arguments)))
    except BaseException as error:
        outcome.append((future.set_exception, error))


def on_done(sel, number, status):
    """What sel_close() ends belongs to a loop that is closed: nobody is told."""
    future, _, _, outcome = jobs.pop(number)
    for settle, value in outcome:
        settle(value)
    if not outcome:
        future.cancel()
    loop = loops.get(sel)
    if loop is not None:
        loop._jobs_left -= 1
        loop._tell_idle()


ON_ONCE, ON_REPEATED = Task(on_once), Task(on_repeated)
ON_WORK, ON_DONE = Work(on_work), Done(on_done)


class TimerHandle(events.TimerHandle):
    """asyncio's, and what sel_cancel() needs."""

    __slots__ = ['_number', '_timer']


class Descriptors:
    """What asyncio asks of its selector, when it shows a transport."""

    def __init__(self, library, sel):
        self.library = library
        self.sel = sel

    def get_key(self, file):
        key, fd = Key(), number_of(file)
        if self.library.sel_get_key(self.sel, fd, ctypes.byref(key)) < 0:
            raise KeyError(f'{file!r} is not registered')
        return selectors.SelectorKey(file, fd, key.events, None)

    def close(self):
        self.library.sel_close(self.sel)


class SelkieEventLoop(unix_events._UnixSelectorEventLoop):
    """`selector` only says which of selkie's backends: the one that uses the same call."""

    library = None  # see make_class()
    backend = 'default'
    made = 0

    def __init__(self, selector=None):
        sel = ctypes.c_void_p()
        backend = NAMES.get(type(selector), self.backend)
        if selector is not None:
            selector.close()
        check(self.library.sel_open(BACKENDS[backend], ctypes.byref(sel)))
        self._sel = sel.value
        loops[self._sel] = self
        SelkieEventLoop.made += 1
        self._calls = {}  # what the library may call, by number
        self._next_number = itertools.count(1).__next__
        self._readers, self._writers, self._signals = {}, {}, {}  # their numbers
        self._due = collections.deque()  # what it has called; one at most, as a rule
        self._raised = None  # what ends a run
        self._jobs_left = 0
        self._idle = None  # a future, for who waits for the jobs
        super().__init__(Descriptors(self.library, self._sel))

    # --- running ---

    def _run_once(self):
        """All of a run, as far as the library sees it.

        Where Python has a handler for a signal, a byte in the self-pipe ends the library's
        wait, with no Python in between: the handler's exception is raised here then.
        """
        if self._due:
            self._push(self.library.sel_call_soon, events.Handle(
                lambda: None, (), self, None))
        try:
            before = signal.set_wakeup_fd(self._csock.fileno(), warn_on_full_buffer=False)
        except ValueError:
            before = None  # not the main thread, which alone has handlers
        try:
            check(self.library.sel_run(self._sel))
        finally:
            if before is not None:
                signal.set_wakeup_fd(before)
            raised, self._raised = self._raised, None
            self._read_from_self()
        if raised is not None:
            raise raised

    def _make_self_pipe(self):
        super()._make_self_pipe()
        check(self.library.sel_add_reader(
            self._sel, self._ssock.fileno(), self.library.stop_itself, None))

    def _process_self_data(self, data):
        """The library tells of signals itself."""

    def _come(self, handle):
        """An exception leaves what the library calls after it for the next run, where it
        comes first: asyncio's list does that."""
        self._due.append(handle)
        handle = None  # an exception's frames would keep it
        if self._raised is not None:
            return
        try:
            while self._due:
                self._run_handle(self._due.popleft())
        except BaseException as error:
            self._raised = error
            self.library.sel_stop(self._sel)

    def _run_handle(self, handle):
        if isinstance(handle, TimerHandle):
            handle._scheduled = False
        if self._debug and not handle._cancelled:
            self._run_timed(handle)
        elif not handle._cancelled:
            handle._run()
        handle = None

    def _run_timed(self, handle):
        self._current_handle, start = handle, self.time()
        try:
            handle._run()
            self._judge_time(handle, self.time() - start)
        finally:
            self._current_handle = handle = None

    def _judge_time(self, handle, seconds):
        if seconds >= self.slow_callback_duration:
            asyncio.base_events.logger.warning(
                'Executing %s took %.3f seconds',
                asyncio.base_events._format_handle(handle), seconds)

    def stop(self):
        super().stop()
        self.library.sel_stop(self._sel)

    def close(self):
        if not self.is_running() and not self.is_closed():
            for signum in list(self._signals):
                self.remove_signal_handler(signum)
        super().close()

    def time(self):
        return self.library.sel_time(None)

    # --- tasks and timers ---

    def _push(self, call, handle):
        number = self._next_number()
        self._calls[number] = handle
        check(call(self._sel, ON_ONCE, number))
        return handle

    def _call_soon(self, callback, args, context):
        handle = events.Handle(callback, args, self, context)
        if handle._source_traceback:
            del handle._source_traceback[-1]
        return self._push(self.library.sel_call_soon, handle)

    def call_soon_threadsafe(self, callback, *args, context=None):
        self._check_closed()
        if self._debug:
            self._check_callback(callback, 'call_soon_threadsafe')
        handle = events.Handle(callback, args, self, context)
        if handle._source_traceback:
            del handle._source_traceback[-1]
        return self._push(self.library.sel_call_soon_threadsafe, handle)

    def _add_callback(self, handle):
        if not handle._cancelled:
            self._push(self.library.sel_call_soon, handle)

    def _call_timer(self, call, seconds, when, callback, args, context):
        self._check_closed()
        if self._debug:
            self._check_thread()
            self._check_callback(callback, 'call_at')
        handle = TimerHandle(when, callback, args, self, context)
        if handle._source_traceback:
            del handle._source_traceback[-2:]
        handle._number, handle._timer = self._next_number(), Timer()
        self._calls[handle._number] = handle
        check(call(self._sel, seconds, ON_ONCE, handle._number,
                   ctypes.byref(handle._timer)))
        handle._scheduled = True
        return handle

    def call_later(self, delay, callback, *args, context=None):
        if delay is None:
            raise TypeError('delay must not be None')
        return self._call_timer(self.library.sel_call_later, delay, self.time() + delay,
                                callback, args, context)

    def call_at(self, when, callback, *args, context=None):
        if when is None:
            raise TypeError('when cannot be None')
        return self._call_timer(self.library.sel_call_at, when, when, callback, args, context)

    def _timer_handle_cancelled(self, handle):
        if handle._scheduled and not self._closed:
            handle._scheduled = False
            if self._calls.pop(handle._number, None) is not None:
                self.library.sel_cancel(self._sel, handle._timer)

    # --- readers, writers, signal handlers ---

    def _watch(self, call, numbers, what, callback, args):
        self._check_closed()
        handle, number = events.Handle(callback, args, self, None), self._next_number()
        self._calls[number] = handle
        try:
            check(call(self._sel, what, ON_REPEATED, number), what)
        except BaseException:
            del self._calls[number]
            raise
        if what in numbers:
            self._calls.pop(numbers[what]).cancel()
        numbers[what] = number
        return handle

    def _unwatch(self, call, numbers, what):
        if self.is_closed() or what not in numbers:
            return False
        call(self._sel, what)
        self._calls.pop(numbers.pop(what)).cancel()
        return True

    def _add_reader(self, fd, callback, *args):
        return self._watch(self.library.sel_add_reader, self._readers, number_of(fd),
                           callback, args)

    def _add_writer(self, fd, callback, *args):
        return self._watch(self.library.sel_add_writer, self._writers, number_of(fd),
                           callback, args)

    def _remove_reader(self, fd):
        return self._unwatch(self.library.sel_remove_reader, self._readers, number_of(fd))

    def _remove_writer(self, fd):
        return self._unwatch(self.library.sel_remove_writer, self._writers, number_of(fd))

    def add_signal_handler(self, sig, callback, *args):
        if asyncio.iscoroutine(callback) or asyncio.iscoroutinefunction(callback):
            raise TypeError('coroutines cannot be used with add_signal_handler()')
        self._check_signal(sig)
        self._check_closed()
        try:
            self._watch(self.library.sel_add_signal_handler, self._signals, int(sig),
                        callback, args)
        except ValueError:
            raise RuntimeError(f'sig {sig} cannot be caught') from None

    def remove_signal_handler(self, sig):
        self._check_signal(sig)
        return self._unwatch(self.library.sel_remove_signal_handler, self._signals, int(sig))

    # --- the executor ---

    def run_in_executor(self, executor, func, *args):
        if executor is not None or self._default_executor is not None:
            return super().run_in_executor(executor, func, *args)
        self._check_closed()
        if self._debug:
            self._check_callback(func, 'run_in_executor')
        self._check_default_executor()
        future, number = concurrent.futures.Future(), next(job_numbers)
        jobs[number] = future, func, args, []
        check(self.library.sel_run_in_executor(self._sel, ON_WORK, ON_DONE, number))
        self._jobs_left += 1
        return futures.wrap_future(future, loop=self)

    def _tell_idle(self):
        if self._jobs_left == 0 and self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def shutdown_default_executor(self, *timeout):
        await super().shutdown_default_executor(*timeout)
        self._idle = self.create_future()
        self._tell_idle()
        await self._idle


def make_class(library, backend='default', base=SelkieEventLoop):
    """The class of the loops that are made of this library."""
    return type('SelkieEventLoop', (base,), {'library': library, 'backend': backend})


def install(library, base=SelkieEventLoop):
    """From now on, whatever names asyncio's own loop gets selkie's."""
    loop_class = make_class(library, base=base)
    for name in ('SelectorEventLoop', 'EventLoop'):
        for module in (asyncio, unix_events):
            if hasattr(module, name):
                setattr(module, name, loop_class)
    asyncio.DefaultEventLoopPolicy._loop_factory = loop_class
    return loop_class
