/* SPDX-License-Identifier: MIT */
/*
 * The pairs of one wait.
 *
 *     entry.slot ──► pairs: [key, mask][key, mask][key, mask]
 *                    0          next ──┘              └── length
 *
 * An entry is in the batch if pairs[entry.slot] carries its descriptor. A slot left
 * over from an earlier batch fails that test, so slots are never cleared, except by
 * unregistering: the pair stays, with mask 0.
 *
 * The array that the program reads never moves. Registering allocates a wider one
 * beside it, and the next wait starts with that, so a wait allocates nothing.
 */
#ifndef SEL_BATCH_H
#define SEL_BATCH_H

#include "selector/table.h"

#include <stddef.h>
#include <string.h>

#define SEL__NO_SLOT UINT32_MAX

typedef struct sel__batch {
    sel_ready *pairs;
    uint32_t length;
    uint32_t next; /* the first pair that is not dispatched yet */
    uint32_t capacity;
    sel_ready *wider; /* what the next wait starts with, or NULL */
    uint32_t wider_capacity;
} sel__batch;

/* Make the next batch wide enough for `length` pairs. Returns 0 or -ENOMEM. */
int sel__batch_reserve(sel__batch *batch, uint32_t length);

/* Start using the wider array. */
void sel__batch_widen(sel__batch *batch);

/* Forget all pairs and begin a new batch. */
static inline void sel__batch_begin(sel__batch *batch)
{
    batch->length = 0;
    batch->next = 0;
    if (batch->wider != NULL)
        sel__batch_widen(batch);
}

void sel__batch_free(sel__batch *batch);

/* The pair of a registered descriptor in this batch, or NULL. */
static inline sel_ready *sel__batch_find(const sel__batch *batch, const sel__entry *entry, int fd)
{
    if (entry->slot >= batch->length || batch->pairs[entry->slot].key.fd != fd)
        return NULL;
    return &batch->pairs[entry->slot];
}

/* Add a pair, or add to the mask of the pair that the key has. */
static inline void sel__batch_add(sel__batch *batch, sel__entry *entry, int fd, int mask)
{
    sel_ready *pair = sel__batch_find(batch, entry, fd);
    int events = entry->events;

    if (pair != NULL) {
        pair->mask |= mask;
        return;
    }
    pair = &batch->pairs[batch->length];
    entry->slot = batch->length++;
    pair->mask = mask;
    pair->key.fd = fd;
    memcpy(&pair->key.callback, &entry->callback, 2 * sizeof(void *)); /* and data */
    pair->key.events = events;
}

/* Make the key's pair, if it has one, say what the key says now. */
void sel__batch_revise(sel__batch *batch, const sel__entry *entry, int fd);

/* The key is unregistered: if it has a pair, that is dead for good and shows it. */
void sel__batch_forget(sel__batch *batch, sel__entry *entry, int fd);

#endif
