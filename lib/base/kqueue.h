/* SPDX-License-Identifier: MIT */
/*
 * kqueue(2) for those that watch descriptors with it. A queue belongs to its process: a
 * forked child has none. What it is told belongs to a number, and goes when that is closed.
 */
#ifndef SEL_KQUEUE_H
#define SEL_KQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <sys/event.h>

/* As sel__own_until_fork(). */
int sel__kqueue_open(int *place);

/*
 * Make all of these changes that can be made. 0 or the first refusal: -ENOENT for what
 * is not there, or no longer.
 */
int sel__kqueue_tell(int queue, struct kevent *changes, int count);

/* sel__kqueue_tell() of one. */
int sel__kqueue_tell_one(int queue, int fd, int filter, int flags);

/*
 * The same of a descriptor that is to be watched from now on: -EPERM for what is
 * always ready, and -ELOOP for a queue that would be in itself.
 */
int sel__kqueue_add(int queue, struct kevent *changes, int count);

/* Neither direction is open any more, or there is an error. */
bool sel__kqueue_says_hung_up(int fd);

static inline struct kevent sel__kevent(int fd, int filter, int flags)
{
    struct kevent change;

    EV_SET(&change, (uintptr_t)fd, (int16_t)filter, (uint16_t)flags, 0, 0, NULL);
    return change;
}

#endif
