/* SPDX-License-Identifier: MIT */
/*
 * Knowing, without a system call, that this process is a fork of the one that
 * opened a selector.
 */
#ifndef SEL_FORK_H
#define SEL_FORK_H

/* How many forks lie between this process and the first that opened one. */
extern unsigned int sel__forks;

/* Begin to count.  0 or -ENOMEM. */
int sel__count_forks(void);

#endif
