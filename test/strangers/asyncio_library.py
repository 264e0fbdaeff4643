# SPDX-License-Identifier: MIT
"""The library's calls that an asyncio loop needs, through ctypes."""

import ctypes
import errno
import os

Task = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
Work = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
Done = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)


class Timer(ctypes.Structure):
    _fields_ = [('id', ctypes.c_uint64)]


class Key(ctypes.Structure):
    _fields_ = [('fd', ctypes.c_int), ('events', ctypes.c_int),
                ('callback', ctypes.c_void_p), ('data', ctypes.c_void_p)]


SEL, POINTER, FD = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int
SECONDS = ctypes.c_double
WAITS = {'sel_run': [SEL], 'sel_close': [SEL]}  # others run meanwhile
CALLS = {
    'sel_open': [ctypes.c_int, ctypes.POINTER(SEL)],
    'sel_stop': [SEL],
    'sel_time': [SEL],
    'sel_call_soon': [SEL, POINTER, POINTER],
    'sel_call_soon_threadsafe': [SEL, POINTER, POINTER],
    'sel_call_later': [SEL, SECONDS, POINTER, POINTER, ctypes.POINTER(Timer)],
    'sel_call_at': [SEL, SECONDS, POINTER, POINTER, ctypes.POINTER(Timer)],
    'sel_cancel': [SEL, Timer],
    'sel_add_reader': [SEL, FD, POINTER, POINTER],
    'sel_add_writer': [SEL, FD, POINTER, POINTER],
    'sel_remove_reader': [SEL, FD],
    'sel_remove_writer': [SEL, FD],
    'sel_add_signal_handler': [SEL, ctypes.c_int, POINTER, POINTER],
    'sel_remove_signal_handler': [SEL, ctypes.c_int],
    'sel_run_in_executor': [SEL, POINTER, POINTER, POINTER],
    'sel_get_key': [SEL, FD, ctypes.POINTER(Key)],
}


class Library:
    """The library's calls.  Those that wait let Python's other threads run; the others are
    quick, and it is cheaper to keep them waiting."""

    def __init__(self, path):
        for loader, calls in (ctypes.CDLL, WAITS), (ctypes.PyDLL, CALLS):
            library = loader(str(path))
            for name, arguments in calls.items():
                function = getattr(library, name)
                function.argtypes = arguments
                setattr(self, name, function)
        self.sel_time.restype = ctypes.c_double
        self.sel_stop.restype = None
        self.stop_itself = ctypes.cast(self.sel_stop, POINTER)  # as a task


def check(result, fd=None):
    """A call's result, or the exception that asyncio has for it."""
    if result == -errno.EINVAL and fd is not None:
        raise ValueError(f'Invalid file descriptor: {fd}')
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result
