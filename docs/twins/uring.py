# SPDX-License-Identifier: MIT
"""One receive through io_uring, by its system calls.  The C side of this file is
demo/kit/uring.c.

io_uring is two rings in memory that the program shares with the kernel, one of requests
and one of completions.  Each ring has a head, which its reader moves, and a tail, which
its writer moves; an entry is written before the tail that shows it, and read after.
There is never more than one request on its way, so no ring is ever full.
"""
import ctypes
import mmap
import os
import struct

SYS_IO_URING_SETUP, SYS_IO_URING_ENTER = 425, 426  # on every machine but alpha
OFF_SQ_RING, OFF_CQ_RING, OFF_SQES = 0, 0x8000000, 0x10000000
OP_RECV = 27
ENTRIES = 1
SQE_SIZE, CQE_SIZE = 64, 16

libc = ctypes.CDLL(None, use_errno=True)


def syscall(number, *arguments):
    result = libc.syscall(number, *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


class Uring:
    """Raises OSError where the kernel has no io_uring or won't let us."""

    def __init__(self):
        params = ctypes.create_string_buffer(120)
        self.fd = syscall(SYS_IO_URING_SETUP, ENTRIES, params)
        self.sq_entries, self.cq_entries = struct.unpack_from("II", params, 0)
        # head, tail, mask, entries, flags, dropped, array; ..., overflow, cqes
        sq = struct.unpack_from("7I", params, 40)
        cq = struct.unpack_from("6I", params, 80)
        self.sq_tail, self.sq_array = sq[1], sq[6]
        self.cq_head, self.cq_tail, self.cqes = cq[0], cq[1], cq[5]
        self.requests = mmap.mmap(self.fd, self.sq_array + 4 * self.sq_entries,
                                  offset=OFF_SQ_RING)
        self.completions = mmap.mmap(self.fd, self.cqes + CQE_SIZE * self.cq_entries,
                                     offset=OFF_CQ_RING)
        self.entries = mmap.mmap(self.fd, SQE_SIZE * self.sq_entries, offset=OFF_SQES)

    def close(self):
        for memory in (self.requests, self.completions, self.entries):
            memory.close()
        os.close(self.fd)

    def recv(self, fd, buffer):
        """Ask the kernel to receive into a ctypes buffer and return at once."""
        position, = struct.unpack_from("I", self.requests, self.sq_tail)
        index = position & (self.sq_entries - 1)
        # opcode, flags, ioprio, fd, off, addr, len; the rest is 0
        struct.pack_into("=BBHiQQI36x", self.entries, SQE_SIZE * index, OP_RECV, 0, 0, fd,
                         0, ctypes.addressof(buffer), len(buffer))
        struct.pack_into("I", self.requests, self.sq_array + 4 * index, index)
        struct.pack_into("I", self.requests, self.sq_tail, position + 1)
        syscall(SYS_IO_URING_ENTER, self.fd, 1, 0, 0, None, 0)

    def done(self):
        """None until it is done, then what recv() would have returned, or a negative
        errno.  No system call: the kernel has written the answer into memory we share.
        """
        position, = struct.unpack_from("I", self.completions, self.cq_head)
        if position == struct.unpack_from("I", self.completions, self.cq_tail)[0]:
            return None
        index = position & (self.cq_entries - 1)
        _, result, _ = struct.unpack_from("=QiI", self.completions,
                                          self.cqes + CQE_SIZE * index)
        struct.pack_into("I", self.completions, self.cq_head, position + 1)
        return result
