/* SPDX-License-Identifier: MIT */
/*
 * The library's own descriptors, for all selectors of the process.
 *
 * A number that the program has closed may be given to the library next, and a forked
 * child that has closed everything may open files of its own under the library's
 * numbers. All eventfds and epoll sets share one inode, so looking at the file reveals
 * neither. That is why the library's numbers are kept here, each with the file it was
 * opened for and with the place that holds it: a number that goes to another descriptor
 * of the library's is -1 in its former place from then on.
 */
#ifndef SEL_OWN_H
#define SEL_OWN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Take ownership of a descriptor that the library has just opened; -1 means that
 * opening failed, with errno set. `place`, which must stay where it is, gets it. Returns
 * 0, or a negative errno after closing it; the place is -1 then.
 */
int sel__own(int fd, int *place);

/*
 * sel__own() for a descriptor that no child inherits: there the number is free, or stands
 * for somebody else's file.
 */
int sel__own_until_fork(int fd, int *place);

/* The one in this place is the library's, though somebody else will close it. */
void sel__note_own(int *place);

/* From now on this place, which holds none, holds it. */
void sel__move_own(int *from, int *to);

/*
 * Close one of the library's descriptors, unless it is another file by now. The place
 * is -1 then; one that is negative already is ignored.
 */
void sel__close_own(int *place);

/* Somebody else is about to close it. */
void sel__disown(int *place);

/*
 * Is it still the library's? A number that is not in the list is taken for the
 * library's too: there may have been no memory to note it.
 */
bool sel__is_own(int fd);

/*
 * A serial number that no other descriptor of the library's has ever had, or 0 for one
 * of the program's.
 */
uint32_t sel__get_serial(int fd);

/*
 * Locked before a fork, unlocked after it in both processes, so that the child gets a
 * consistent list.
 */
void sel__lock_own(void);
void sel__unlock_own(void);

/* In a child, with the lock: those that no child has are not the library's. */
void sel__lose_own(void);

#endif
