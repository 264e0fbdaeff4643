# SPDX-License-Identifier: MIT
"""CPython's selectors, as far as selkie's are compared with them in test_lockstep.py."""

import errno
import selectors

from lockstep_world import EXCEPT, READ

UNKNOWN = 8  # a bit that is no event

# What selkie does otherwise, and why.
DEVIATIONS = {
    'EXCEPT': 'the selectors module has no such event; poll(2) is asked instead',
    'closed':
        'a key whose descriptor was closed is not reported, but for a file that is kept '
        'open or looks like the old one; CPython goes on, or reports what has its number',
    'ghost':
        "CPython can't take a closed descriptor out of epoll while a duplicate keeps its "
        'file open: it hides others and is reported for the next key of that number, so '
        'the EpollSelector is made anew',
    'unchecked': 'PollSelector takes what epoll refuses',
    'paused': 'with events 0 CPython reports a hang-up, with an empty mask',
    'unknown bit': 'modify checks its events as register does',
}


class Deviates(Exception):
    """CPython does otherwise here, on purpose; str() is the deviation's name."""


def errno_of(operation, exception):
    if isinstance(exception, ValueError):
        return -errno.EINVAL
    if isinstance(exception, KeyError):
        return -errno.EEXIST if operation == 'register' else -errno.ENOENT
    return -exception.errno


class Reference:
    """One of CPython's selectors, as far as it can be compared.

    `excused` numbers are not in it, or not as they are in selkie's.
    """

    def __init__(self, make, world):
        self.make = make
        self.world = world
        self.selector = make()
        self.name = make.__name__
        self.excused = {}

    def close(self):
        self.selector.close()

    def numbers(self):
        return {key.fd for key in self.selector.get_map().values()}

    def call(self, operation, *arguments):
        try:
            return getattr(self.selector, operation)(*arguments) and 0
        except (ValueError, KeyError, OSError) as exception:
            return errno_of(operation, exception)

    def excuse(self, fd, why):
        """From here on selkie is on its own there; the number is taken out."""
        self.excused[fd] = why
        if fd in self.numbers():
            self.selector.unregister(fd)

    def make_anew(self):
        """Another selector with the same keys."""
        keys = list(self.selector.get_map().values())
        self.selector.close()
        self.selector = self.make()
        for key in keys:
            self.selector.register(key.fd, key.events or READ, key.data)
            self.selector.modify(key.fd, key.events, key.data)

    def lose(self, fd, file):
        """The number of a key was closed; True: its file was not."""
        self.excuse(fd, 'closed')
        has_ghost = self.make is selectors.EpollSelector and file.numbers > 0
        if has_ghost:
            self.make_anew()
        return has_ghost

    def compare_nothing(self, fd):
        if fd in self.excused:
            raise Deviates(self.excused[fd])

    def register(self, fd, events, data):
        self.compare_nothing(fd)
        if events == EXCEPT and not self.world.refusal(fd):
            self.excuse(fd, 'EXCEPT')
            raise Deviates('EXCEPT')
        wanted = READ if events == EXCEPT else events & ~EXCEPT
        result = self.call('register', fd, wanted, data)
        if result == 0 and self.world.refusal(fd):
            assert self.make is selectors.PollSelector
            self.selector.unregister(fd)
            raise Deviates('unchecked')
        return result

    def modify(self, fd, events, data):
        self.compare_nothing(fd)
        if events & UNKNOWN and fd in self.numbers():
            raise Deviates('unknown bit')
        if events == EXCEPT and fd in self.numbers():
            self.excuse(fd, 'EXCEPT')
            raise Deviates('EXCEPT')
        return self.call('modify', fd, events & ~EXCEPT, data)

    def unregister(self, fd):
        self.compare_nothing(fd)
        return self.call('unregister', fd)

    def select(self, timeout):
        return {key.fd: mask for key, mask in self.selector.select(timeout)}

    def settle(self, fd):
        """The key of this number is gone: compare it again."""
        self.excused.pop(fd, None)
