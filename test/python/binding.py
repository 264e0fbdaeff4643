# SPDX-License-Identifier: MIT
"""selkie's selector for Python, through ctypes: just what the tests call.

A call returns what the library returns, negative errno values included.
"""

import ctypes
import errno
import os

BACKENDS = {'uv': 1, 'epoll': 2, 'poll': 3, 'select': 4}
ROOM = 64  # keys that get_map() can hold


class Key(ctypes.Structure):
    _fields_ = [('fd', ctypes.c_int), ('events', ctypes.c_int),
                ('callback', ctypes.c_void_p), ('data', ctypes.c_void_p)]


class Ready(ctypes.Structure):
    _fields_ = [('key', Key), ('mask', ctypes.c_int)]


Task = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
ADD = [ctypes.c_void_p, ctypes.c_int, Task, ctypes.c_void_p]

CALLS = {
    'sel_open': [ctypes.c_int, ctypes.POINTER(ctypes.c_void_p)],
    'sel_close': [ctypes.c_void_p],
    'sel_register': [ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p,
                     ctypes.c_void_p],
    'sel_modify': [ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p,
                   ctypes.c_void_p],
    'sel_unregister': [ctypes.c_void_p, ctypes.c_int],
    'sel_select': [ctypes.c_void_p, ctypes.c_double,
                   ctypes.POINTER(ctypes.POINTER(Ready))],
    'sel_dispatch': [ctypes.c_void_p],
    'sel_add_reader': ADD,
    'sel_add_writer': ADD,
    'sel_remove_reader': [ctypes.c_void_p, ctypes.c_int],
    'sel_remove_writer': [ctypes.c_void_p, ctypes.c_int],
    'sel_get_key': [ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(Key)],
    'sel_get_map': [ctypes.c_void_p, ctypes.POINTER(Key), ctypes.c_size_t],
    'sel_backend_available': [ctypes.c_int],
}


def load(path):
    """The library at this path."""
    library = ctypes.CDLL(str(path))
    for name, arguments in CALLS.items():
        getattr(library, name).argtypes = arguments
    return library


def available(library):
    """The names of the backends that this build has."""
    return [name for name, number in BACKENDS.items()
            if library.sel_backend_available(number)]


class Selector:
    """One selector; `data` is a number."""

    def __init__(self, library, backend):
        self.name = backend
        self.library = library
        self.sel = ctypes.c_void_p()
        result = library.sel_open(BACKENDS[backend], ctypes.byref(self.sel))
        if result != 0:
            raise OSError(-result, f'sel_open of {backend}')

    def close(self):
        return self.library.sel_close(self.sel)

    def register(self, fd, events, data):
        return self.library.sel_register(self.sel, fd, events, None, data)

    def modify(self, fd, events, data):
        return self.library.sel_modify(self.sel, fd, events, None, data)

    def unregister(self, fd):
        return self.library.sel_unregister(self.sel, fd)

    def get_key(self, fd):
        """(fd, events, data), or a negative errno value."""
        key = Key()
        result = self.library.sel_get_key(self.sel, fd, ctypes.byref(key))
        return (key.fd, key.events, key.data) if result == 0 else result

    def get_map(self):
        """{fd: (events, data)}"""
        keys = (Key * ROOM)()
        count = self.library.sel_get_map(self.sel, keys, ROOM)
        return {key.fd: (key.events, key.data) for key in keys[:count]}

    def select(self, timeout):
        """[(fd, mask)], or a negative errno value."""
        ready = ctypes.POINTER(Ready)()
        count = self.library.sel_select(self.sel, timeout, ctypes.byref(ready))
        if count < 0:
            return count
        return [(pair.key.fd, pair.mask) for pair in ready[:count]]


class Loop:
    """The part of an event loop that asyncio's has, too, over one selector."""

    def __init__(self, library, backend):
        self.selector = Selector(library, backend)
        self.name = backend
        self.library, self.sel = library, self.selector.sel
        self.callbacks = []  # a task's data is its place in here, and one
        self.task = Task(lambda sel, data: self.callbacks[data - 1]())

    def close(self):
        check(self.selector.close())

    def keep(self, callback):
        self.callbacks.append(callback)
        return len(self.callbacks)

    def add_reader(self, fd, callback):
        check(self.library.sel_add_reader(self.sel, fd, self.task, self.keep(callback)))

    def add_writer(self, fd, callback):
        check(self.library.sel_add_writer(self.sel, fd, self.task, self.keep(callback)))

    def remove_reader(self, fd):
        return was_there(self.library.sel_remove_reader(self.sel, fd))

    def remove_writer(self, fd):
        return was_there(self.library.sel_remove_writer(self.sel, fd))

    def run_once(self):
        """One pass, which does not wait."""
        self.selector.select(0)
        check(min(self.library.sel_dispatch(self.sel), 0))


def check(result):
    if result < 0:
        raise OSError(-result, os.strerror(-result))


def was_there(result):
    """What asyncio's remove_reader() returns."""
    if result != -errno.ENOENT:
        check(result)
    return result == 0
