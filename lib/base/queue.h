/* SPDX-License-Identifier: MIT */
/*
 * A queue of things to run in the next dispatch. Whatever is queued begins with a
 * sel__item.
 */
#ifndef SEL_QUEUE_H
#define SEL_QUEUE_H

#include <stddef.h>

typedef struct sel__item {
    struct sel__item *next;
} sel__item;

typedef struct sel__queue {
    sel__item *first;
    sel__item *last;
} sel__queue;

static inline void sel__queue_push(sel__queue *queue, sel__item *item)
{
    item->next = NULL;
    if (queue->first == NULL)
        queue->first = item;
    else
        queue->last->next = item;
    queue->last = item;
}

/* Take the first item of a queue that has one. */
static inline sel__item *sel__queue_pop(sel__queue *queue)
{
    sel__item *first = queue->first;

    queue->first = first->next;
    return first;
}

/* Empty the queue. Returns the first of its items, or NULL. */
static inline sel__item *sel__queue_take(sel__queue *queue)
{
    sel__item *first = queue->first;

    queue->first = NULL;
    return first;
}

#endif
