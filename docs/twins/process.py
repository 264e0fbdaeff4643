# SPDX-License-Identifier: MIT
"""What the programs with several processes share.

Everything here waits: it is for children, which have nothing else to do, and for
answers that are already on their way.  The C side of this file is demo/kit/process.c.
"""
import os
import signal
import sys


def fork_child():
    """os.fork(), with the signals of the child as they are in a new program: a handler
    that it had from its parent would tell the parent of the child's signals.

    The child leaves its parent's selector alone and ends with os._exit().
    """
    before = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    pid = os.fork()
    if pid == 0:
        signal.set_wakeup_fd(-1)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1):
            signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def run_in_child(function, *arguments):
    """Call it in a child, which ends with what it returns.  Returns the child's pid."""
    pid = fork_child()
    if pid:
        return pid
    status = 1
    try:
        status = function(*arguments) or 0
    except ConnectionError:  # the parent is gone
        pass
    except Exception:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def wait_for_all(count):
    for _ in range(count):
        os.wait()


def send_line(sock, text):
    sock.sendall(f"{text}\n".encode())


def receive_line(sock):
    """Byte by byte: what comes after the line is for the next call.  None: the other
    end is gone.
    """
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = sock.recv(1)
        if not byte:
            return None
        line += byte
    return line[:-1].decode()
