/* SPDX-License-Identifier: MIT */
/*
 * A set of descriptors that is itself one, readable while any in it is: an epoll set or a
 * kqueue. This is all that the library needs of them apart from waiting for events.
 */
#ifndef SEL_SET_H
#define SEL_SET_H

#include <stdbool.h>

/* As sel__own(). */
int sel__set_open(int *place);

/* Make the number in this place stand for a new, empty set. Returns 0 or a negative errno. */
int sel__set_renew(int *place);

/* In a forked child: may the number of a set of the parent's be renewed? */
bool sel__set_is_ours(int number);

/*
 * Make the set readable whenever `fd` is; adding it twice does no harm. Returns 0,
 * -EPERM for a file that can't be waited for, -ELOOP, or another negative errno.
 */
int sel__set_add(int set, int fd);

/* Does nothing if `fd` is closed or not in the set. */
void sel__set_remove(int set, int fd);

#endif
