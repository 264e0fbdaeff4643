/* SPDX-License-Identifier: MIT */
/*
 * The table from descriptor to key.
 *
 * It has two levels, because descriptors are small numbers that come and go:
 *
 *     blocks ──► [ 0 ][ 1 ][NULL][ 3 ]         one pointer for 128 descriptors
 *                  │    │          │
 *                  ▼    ▼          ▼
 *               entries 0..127, 128..255, 384..511
 *
 * An entry never moves while the table lives, so a pointer to one survives every
 * registration. Memory follows the highest descriptor, 40 bytes for each.
 */
#ifndef SEL_TABLE_H
#define SEL_TABLE_H

#include <selkie/selectors.h>

#include <stdint.h>

enum {
    SEL__REGISTERED = 1,
    SEL__GONE = 2,     /* found closed or replaced; the backend has dropped it */
    SEL__INTERNAL = 4, /* the library's own: never shown, never in a batch */
};

enum { SEL__NO_FD = -1, SEL__UNLISTED = -2 };

typedef struct sel__entry {
    sel_callback *callback;
    void *data;
    uint64_t identity;    /* of the file that was registered */
    uint32_t mark;        /* the backend's own note */
    uint32_t slot;        /* index of its pair in the batch; see batch.h */
    int next_changed;     /* list of changed keys: a descriptor, SEL__NO_FD at
                             the end, SEL__UNLISTED when not in it */
    uint8_t flags;        /* 0: this descriptor is not registered */
    uint8_t events;       /* what the program wants */
    uint8_t armed;        /* what the backend was last told */
    uint8_t kind; /* sel__kind */
} sel__entry;

enum { SEL__BLOCK_BITS = 7, SEL__BLOCK_SIZE = 1 << SEL__BLOCK_BITS };

typedef struct sel__table {
    sel__entry **blocks;
    int length; /* of blocks */
} sel__table;

/* Make room for `fd`. Returns 0 or -ENOMEM. */
int sel__table_reserve(sel__table *table, int fd);
void sel__table_free(sel__table *table);

/* The entry of a descriptor that there is room for. */
static inline sel__entry *sel__table_at(const sel__table *table, int fd)
{
    return &table->blocks[fd >> SEL__BLOCK_BITS][fd & (SEL__BLOCK_SIZE - 1)];
}

/* The entry of any number that is not negative, or NULL if it is not registered. */
sel__entry *sel__table_find(const sel__table *table, int fd);

/* The first registered descriptor after `fd`, or SEL__NO_FD. */
int sel__table_next(const sel__table *table, int fd);

#endif
