/* SPDX-License-Identifier: MIT */
#include "selector/batch.h"

#include <errno.h>
#include <stdlib.h>

int sel__batch_reserve(sel__batch *batch, uint32_t length)
{
    uint32_t capacity = length + length / 8 + 8;
    sel_ready *wider;

    if (length <= batch->capacity || length <= batch->wider_capacity)
        return 0;
    wider = malloc(capacity * sizeof *wider);
    if (wider == NULL)
        return -ENOMEM;
    free(batch->wider);
    batch->wider = wider;
    batch->wider_capacity = capacity;
    return 0;
}

void sel__batch_widen(sel__batch *batch)
{
    free(batch->pairs);
    batch->pairs = batch->wider;
    batch->capacity = batch->wider_capacity;
    batch->wider = NULL;
    batch->wider_capacity = 0;
}

void sel__batch_free(sel__batch *batch)
{
    free(batch->pairs);
    free(batch->wider);
}

void sel__batch_revise(sel__batch *batch, const sel__entry *entry, int fd)
{
    sel_ready *pair = sel__batch_find(batch, entry, fd);

    if (pair == NULL)
        return;
    pair->key.events = entry->events;
    pair->key.callback = entry->callback;
    pair->key.data = entry->data;
    pair->mask &= entry->events;
}

void sel__batch_forget(sel__batch *batch, sel__entry *entry, int fd)
{
    sel_ready *pair = sel__batch_find(batch, entry, fd);

    if (pair != NULL) {
        pair->mask = 0;
        pair->key.events = 0;
        pair->key.callback = NULL;
    }
    entry->slot = SEL__NO_SLOT;
}
