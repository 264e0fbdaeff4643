/* SPDX-License-Identifier: MIT */
/*
 * Noticing, without a system call, that this process is a fork of the one that opened a
 * selector.
 */
#ifndef SEL_FORK_H
#define SEL_FORK_H

#include <stdatomic.h>

/*
 * This process's mark: not 0 here, and 0 in every child. No thread ever writes to it.
 * NULL until the first sel__count_forks().
 */
extern _Atomic(const unsigned int *) sel__forks_mark;

/* No process's mark: always 0. */
extern const unsigned int sel__nobodys_mark;

/*
 * A number for this process that none of its ancestors or descendants has; 0 in a child
 * that has not counted its fork yet.
 */
static inline unsigned int sel__forks(void)
{
    return *atomic_load_explicit(&sel__forks_mark, memory_order_relaxed);
}

/* Begin to count, or count the fork that made this process. Returns 0 or -ENOMEM. */
int sel__count_forks(void);

#endif
