/* SPDX-License-Identifier: MIT */
/*
 * poll(2), to the nanosecond, to its deadline also across a SIGSTOP, and for more
 * descriptors than RLIMIT_NOFILE lets it take.
 */
#ifndef SEL_POLLING_H
#define SEL_POLLING_H

#include <poll.h>
#include <stdint.h>

/* The memory that it may need, for descriptors below `limit`. */
typedef struct {
    unsigned long *words;
    int limit;
} sel__poll_room;

/* Make room for this descriptor.  0 or -ENOMEM. */
int sel__reserve_poll(sel__poll_room *room, int fd);

/*
 * Wait up to `timeout` nanoseconds (0 looks, INT64_MAX), or less: the caller goes
 * on.  Returns how many have `revents`, or a negative errno.
 */
int sel__poll(struct pollfd *fds, unsigned length, int64_t timeout, sel__poll_room *room);

#endif
