/* SPDX-License-Identifier: MIT */
/*
 * A process that gets no more descriptors or no more memory, for as long as a test
 * wants.
 */
#ifndef TEST_SCARCITY_H
#define TEST_SCARCITY_H

#include <stdbool.h>
#include <sys/resource.h>

enum {
    AS_BEFORE = -1,
    MOST_NEEDED = 16, /* descriptors for any one call */
};

/* Let this process open `room` descriptors more, or as many as before. */
void leave_room(int room);

/*
 * Can take_all() keep its word?  A sanitizer does not live without memory, and an
 * emulator that takes no notice of a limit would let it take the whole machine's.
 */
bool memory_can_be_taken(void);

/*
 * Take all memory that there is and may come: no malloc() succeeds until
 * free_all().  Nor does check's: there is no ck_assert() in between.
 */
typedef struct hoard hoard;

hoard *take_all(struct rlimit *ret_limit);
void free_all(hoard *all, const struct rlimit *limit);

#endif
