/* SPDX-License-Identifier: MIT */
/*
 * epoll_wait() to the nanosecond where the kernel can, else in whole milliseconds,
 * rounded up: rounding down would end waits early, and a timeout of 0 would make a busy
 * loop.
 */
#ifndef SEL_EPOLL_WAIT_H
#define SEL_EPOLL_WAIT_H

#include "selector/backend.h"

#include <errno.h>
#include <sys/epoll.h>

/* `ms`: -1 waits for ever. Returns the number of events or a negative errno. */
static inline int sel__epoll_wait_ms(int set, struct epoll_event *events, int capacity, int ms)
{
    int count = epoll_wait(set, events, capacity, ms);

    return count >= 0 ? count : -errno;
}

/* Until a deadline that is neither SEL__FOREVER nor past. */
int sel__epoll_wait_timed(int set, struct epoll_event *events, int capacity, int64_t deadline);

/* `deadline` as in a backend's wait(). Returns the number of events or a negative errno. */
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
