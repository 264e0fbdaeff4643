/* SPDX-License-Identifier: MIT */
/*
 * A process that can get no more descriptors or no more memory for as long as a test
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

/* Let this process open `room` more descriptors, or as many as before. */
void leave_room(int room);

/*
 * Can take_all() do what it says? A sanitizer does not survive without memory, and an
 * emulator that ignores limits would let it take the whole machine's.
 */
bool memory_can_be_taken(void);

/*
 * Take all the memory that there is: no malloc() succeeds until free_all(). Neither
 * does check's, so there must be no ck_assert() in between.
 */
typedef struct hoard hoard;

hoard *take_all(struct rlimit *ret_limit);
void free_all(hoard *all, const struct rlimit *limit);

#endif
