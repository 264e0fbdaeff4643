/* SPDX-License-Identifier: MIT */
/*
 * io_uring: two rings in memory that the program shares with the kernel, one for
 * requests and one for completions.
 *
 * Each ring has a head, which its reader moves, and a tail, which its writer moves; an
 * entry is written before the tail that shows it, and read after it.  At most one
 * request is under way at a time, so no ring is ever full.
 */
#include "kit/uring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENTRIES = 1 };

struct uring {
    int fd;
    struct io_uring_params params; /* where the fields are in the maps */
    char *requests, *completions;  /* the rings */
    struct io_uring_sqe *entries;  /* the requests themselves; the ring has their indexes */
    size_t requests_size, completions_size, entries_size;
};

static void *map(const uring *ring, size_t size, long offset)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
                offset);
}

static atomic_uint *field(char *ring, unsigned offset)
{
    return (atomic_uint *)(void *)(ring + offset);
}

static void unmap(void *memory, size_t size)
{
    if (memory != MAP_FAILED)
        munmap(memory, size);
}

void uring_close(uring *ring)
{
    unmap(ring->requests, ring->requests_size);
    unmap(ring->completions, ring->completions_size);
    unmap(ring->entries, ring->entries_size);
    close(ring->fd);
    free(ring);
}

uring *uring_open(void)
{
    uring *ring = calloc(1, sizeof *ring);
    if (ring == NULL)
        return NULL;
    ring->fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &ring->params);
    if (ring->fd < 0) {
        free(ring);
        return NULL;
    }
    const struct io_uring_params *params = &ring->params;
    ring->requests_size = params->sq_off.array + params->sq_entries * sizeof(unsigned);
    ring->completions_size =
        params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
    ring->entries_size = params->sq_entries * sizeof(struct io_uring_sqe);
    ring->requests = map(ring, ring->requests_size, IORING_OFF_SQ_RING);
    ring->completions = map(ring, ring->completions_size, IORING_OFF_CQ_RING);
    ring->entries = map(ring, ring->entries_size, IORING_OFF_SQES);
    if (ring->requests != MAP_FAILED && ring->completions != MAP_FAILED &&
        ring->entries != MAP_FAILED)
        return ring;
    uring_close(ring);
    return NULL;
}

int uring_recv(uring *ring, int fd, void *bytes, size_t size)
{
    atomic_uint *tail = field(ring->requests, ring->params.sq_off.tail);
    unsigned position = atomic_load(tail);
    unsigned index = position & (ring->params.sq_entries - 1);
    ring->entries[index] = (struct io_uring_sqe){.opcode = IORING_OP_RECV,
                                                 .fd = fd,
                                                 .addr = (unsigned long)bytes,
                                                 .len = (unsigned)size};
    atomic_store(field(ring->requests, ring->params.sq_off.array) + index, index);
    atomic_store(tail, position + 1);
    return syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0) < 0 ? -errno : 0;
}

bool uring_done(uring *ring, int *ret_result)
{
    atomic_uint *head = field(ring->completions, ring->params.cq_off.head);
    unsigned position = atomic_load(head);
    if (position == atomic_load(field(ring->completions, ring->params.cq_off.tail)))
        return false;
    const struct io_uring_cqe *entries =
        (const void *)(ring->completions + ring->params.cq_off.cqes);
    *ret_result = entries[position & (ring->params.cq_entries - 1)].res;
    atomic_store(head, position + 1);
    return true;
}
