/* SPDX-License-Identifier: MIT */
#include "support/scarcity.h"

#include "support/support.h"

#include <stdlib.h>
#include <sys/mman.h>

void leave_room(int room)
{
    static struct rlimit before;
    struct rlimit limit;
    int number = 0;

    if (before.rlim_max == 0)
        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    if (room >= 0) {
        for (int left = room; is_open(number) || left > 0; number++)
            left -= !is_open(number);
        limit.rlim_cur = (rlim_t)number;
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

struct hoard {
    hoard *next;
};

enum { LARGEST = 1 << 20, SMALL = 1 << 12 };

bool memory_can_be_taken(void)
{
    struct rlimit before, none;
    void *more;

    if (getenv("TEST_INSTRUMENTED") != NULL)
        return false;
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
    none = before;
    none.rlim_cur = 1;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
    more = mmap(NULL, LARGEST, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
    if (more != MAP_FAILED)
        munmap(more, LARGEST);
    return more == MAP_FAILED;
}

/*
 * malloc() keeps freed small blocks by size, and from 2.41 on glibc's calloc() takes
 * them too: so each small size is asked for.
 */
static size_t next_size(size_t size)
{
    return size > SMALL ? size / 2 : size - sizeof(hoard);
}

hoard *take_all(struct rlimit *ret_limit)
{
    struct rlimit none;
    hoard *all = NULL;

    ck_assert_int_eq(getrlimit(RLIMIT_AS, ret_limit), 0);
    none = *ret_limit;
    none.rlim_cur = 1;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
    for (size_t size = LARGEST; size >= sizeof *all; size = next_size(size))
        for (hoard *block = malloc(size); block != NULL; block = malloc(size)) {
            block->next = all;
            all = block;
        }
    return all;
}

void free_all(hoard *all, const struct rlimit *limit)
{
    while (all != NULL) {
        hoard *next = all->next;

        free(all);
        all = next;
    }
    ck_assert_int_eq(setrlimit(RLIMIT_AS, limit), 0);
}
