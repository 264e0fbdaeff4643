/* SPDX-License-Identifier: MIT */
/*
 * epoll_wait() that counts nanoseconds where the kernel does, and whole
 * milliseconds, rounded up, where it does not: down would be early, and a wait
 * of 0 a busy loop.
 */
#ifndef SEL_EPOLL_WAIT_H
#define SEL_EPOLL_WAIT_H

#include "selector/backend.h"

#include <errno.h>
#include <sys/epoll.h>

/* Milliseconds; -1 for ever.  The number of events or a negative errno. */
static inline int sel__epoll_wait_ms(int set, struct epoll_event *events, int capacity, int ms)
{
    int count = epoll_wait(set, events, capacity, ms);

    return count >= 0 ? count : -errno;
}

/* Until a deadline that is one. */
int sel__epoll_wait_timed(int set, struct epoll_event *events, int capacity, int64_t deadline);

/* As a backend's wait().  The number of events or a negative errno. */
static inline int sel__epoll_wait(int set, struct epoll_event *events, int capacity,
                                  int64_t deadline)
{
    if (deadline == SEL__FOREVER)
        return sel__epoll_wait_ms(set, events, capacity, -1);
    if (deadline > 0)
        return sel__epoll_wait_timed(set, events, capacity, deadline);
    return sel__epoll_wait_ms(set, events, capacity, 0);
}

#endif
