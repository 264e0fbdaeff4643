# SPDX-License-Identifier: MIT
"""Bring about a circumstance in this process, and become the command.

    inside.py THING... -- COMMAND...

What needs a namespace is started in one: /dev and the network are then nobody else's.
"""

import ctypes
import fcntl
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
EPOLL_PWAIT2 = 441  # the same on every machine
ENOSYS = 38
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
SPARE = 9  # descriptors that a careless parent left open


def no_ipv6():
    """A network of its own, with a loopback that knows the fourth version alone."""
    pathlib.Path('/proc/sys/net/ipv6/conf/all/disable_ipv6').write_text('1')
    pathlib.Path('/proc/sys/net/ipv6/conf/default/disable_ipv6').write_text('1')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack('16sh14x', b'lo', IFF_UP))


def empty_dev():
    """A /dev with nothing in it, as in a chroot that was made by hand."""
    subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', '/dev'], check=True,
                   stdin=subprocess.DEVNULL)


def no_epoll_pwait2():
    """A kernel, or a filter, that is older than the call."""
    code = [
        (0x20, 0, 0, 0),                        # load the number of the call
        (0x15, 0, 1, EPOLL_PWAIT2),             # if it is this one,
        (0x06, 0, 0, 0x00050000 | ENOSYS),      # there is none;
        (0x06, 0, 0, 0x7FFF0000),               # else go on
    ]
    program = ctypes.create_string_buffer(b''.join(
        struct.pack('HBBI', *instruction) for instruction in code))

    class Filter(ctypes.Structure):
        _fields_ = [('length', ctypes.c_ushort), ('code', ctypes.c_void_p)]

    libc = ctypes.CDLL(None, use_errno=True)
    wanted = Filter(len(code), ctypes.addressof(program))
    if (libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(wanted)) != 0):
        raise OSError(ctypes.get_errno(), 'a filter of system calls')


def without_rights():
    """A user that is nobody's, another for each program: its processes count alone."""
    uid = 100_000 + os.getpid()
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.environ['HOME'] = '/nonexistent'


def odd_start():
    """What nohup, a shell's `&` and a careless daemon leave to whom they start."""
    for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTTOU):
        signal.signal(ignored, signal.SIG_IGN)
    signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD, signal.SIGWINCH})
    for number in range(3, 3 + SPARE):
        os.dup2(1, number)
    os.close(0)
    os.umask(0o077)


def main():
    end = sys.argv.index('--')
    try:
        for thing in sys.argv[1:end]:
            globals()[thing]()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f'{error}')
    os.execvp(sys.argv[end + 1], sys.argv[end + 1:])


if __name__ == '__main__':
    main()
