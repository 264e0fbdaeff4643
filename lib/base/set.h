/* SPDX-License-Identifier: MIT */
/*
 * A set of descriptors that is a descriptor itself, and readable while one in it is: what
 * the library needs of the kernel's sets apart from waiting for events on one.
 */
#ifndef SEL_SET_H
#define SEL_SET_H

#include <stdbool.h>

/* A descriptor of the library's own, or a negative errno. */
int sel__set_open(void);

/* From now on this number means a set that nothing is in. 0 or a negative errno. */
int sel__set_renew(int number);

/* In a forked child: may the number of a set of the parent's be renewed? */
bool sel__set_is_ours(int number);

/*
 * Readiness to read of `fd` makes the set readable; what is in it already stays. 0,
 * -EPERM for a file that is never waited for, -ELOOP, or another negative errno.
 */
int sel__set_add(int set, int fd);

/* What is not in it, or closed, is left alone. */
void sel__set_remove(int set, int fd);

#endif
