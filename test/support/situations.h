/* SPDX-License-Identifier: MIT */
/*
 * What can happen to a descriptor, one row for each case: how it was before, what
 * happens, and what a selector that watches for everything reports before and after. A
 * selector that watches for less reports those of the bits that it watches for.
 */
#ifndef TEST_SITUATIONS_H
#define TEST_SITUATIONS_H

#include <sys/types.h>

/* The descriptors of a situation; -1: it has no such one. */
typedef struct {
    int watched;
    int peer;  /* the other end */
    int other; /* whatever else it needs */
} descriptors;

typedef struct {
    const char *name;
    void (*make)(descriptors *ends);
    void (*change)(descriptors *ends);
    int before;
    int after;
} situation;

extern const situation socket_situations[]; /* end with a NULL name */
extern const situation file_situations[];

/* Changes that pipes, terminals and sockets share. */
void nothing_happens(descriptors *ends);
void peer_closes(descriptors *ends);
void peer_writes(descriptors *ends);
void peer_reads_all(descriptors *ends);

/* Sockets first, then the rest; NULL beyond the last. */
const situation *situation_at(int i);
int count_situations(void);
const situation *find_situation(const char *name);

/*
 * Each returns once poll(2) agrees with `before` or `after`, and fails the test if it
 * never does: so the table itself is checked.
 */
void make_situation(const situation *given, descriptors *ends);
void change_situation(const situation *given, descriptors *ends);
void end_situation(descriptors *ends);

/*
 * CPython's rule applied to one poll(2) of `fd`: hang-up and error are every event that
 * is watched, an out-of-band byte is EXCEPT, the others are themselves.
 */
int poll_rule(int fd, int events);

/* Wait until a thread of this process sleeps in the kernel. */
void wait_until_asleep(pid_t thread);

#endif
