/* SPDX-License-Identifier: MIT */
/*
 * The library's own descriptors, of all selectors of the process.
 *
 * A number that a program has closed may be given to the library next, and a
 * forked child that has closed everything may open files of its own under the
 * library's numbers. All eventfds and epoll sets share one inode, so neither
 * is seen by a look at the file: the numbers are known here, each with the file
 * it was opened for.
 */
#ifndef SEL_OWN_H
#define SEL_OWN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The library owns a descriptor that it has just opened, or -1 with errno set.
 * Returns it, or a negative errno and it is closed.
 */
int sel__own(int fd);

/* The same of one that stays open whatever comes of it. 0 or a negative errno. */
int sel__note_own(int fd);

/* sel__own() of one that no child has: there the number is free, or somebody else's. */
int sel__own_until_fork(int fd);

/* Close a descriptor of the library's, unless it is another file by now. A negative one is none. */
void sel__close_own(int fd);

/* It is about to be closed by somebody else. */
void sel__disown(int fd);

/* Is it still the library's? One that could not be noted is held for that. */
bool sel__is_own(int fd);

/*
 * A number that tells this descriptor of the library's from all others that it
 * has had, or 0 for a descriptor of the program's.
 */
uint32_t sel__get_serial(int fd);

/* A fork keeps the list whole: locked before it, unlocked after it in both. */
void sel__lock_own(void);
void sel__unlock_own(void);

/* In a child, with the lock: those that no child has are not the library's. */
void sel__lose_own(void);

#endif
