/* SPDX-License-Identifier: MIT */
/*
 * Timers: a heap by due time over slots that keep their numbers.
 *
 *     heap    [due, slot][due, slot]...     four children each; the first is due first
 *     slots   [timer][timer][timer]...
 *
 * Equal due times run in the order in which they were made. An id is a timer's slot and how
 * often that was used, so it finds its timer at once and never another.
 */
#ifndef SEL_TIMERS_H
#define SEL_TIMERS_H

#include "selector/backend.h"

#include <selkie/reactor.h>

#include <stdbool.h>
#include <stdint.h>

#define SEL__NO_TIMER 0x7fffffffU

typedef struct sel__timer {
    sel_task *task; /* NULL: cancelled, or free */
    void *data;
    int64_t due;     /* nanoseconds of the clock */
    int64_t start;   /* of a repeating one: run n is due at start + n * interval */
    double interval; /* 0: runs once */
    uint32_t use;
    uint32_t place; /* in the heap; else the next slot of its list, and perhaps a mark */
} sel__timer;

typedef struct {
    int64_t due;
    uint32_t slot;
    uint32_t order; /* it may go round: equal due times are not far apart */
} sel__due;

typedef struct sel__timers {
    sel__due *heap;
    sel__timer *slots;
    uint32_t waiting;  /* how many are in the heap */
    uint32_t length;   /* of slots that were ever used */
    uint32_t capacity; /* of both arrays */
    uint32_t made;
    uint32_t free;  /* the first free slot */
    uint32_t taken; /* the first slot that is to run in this pass */
} sel__timers;

void sel__timers_open(sel__timers *timers);
void sel__timers_free(sel__timers *timers);

/* Make a timer wait, as `wanted` says.  0 and its id, or -ENOMEM. */
int sel__timers_add(sel__timers *timers, const sel__timer *wanted, uint64_t *ret_id);

/* A timer that is to run, or NULL. */
sel__timer *sel__timers_find(const sel__timers *timers, uint64_t id);

/* It is not to run; or it is due at another time. */
void sel__timers_cancel(sel__timers *timers, sel__timer *timer);
void sel__timers_move(sel__timers *timers, sel__timer *timer, int64_t due);

/* Take all that are due by `now`; and of those the next, or NULL, which runs until... */
void sel__timers_take(sel__timers *timers, int64_t now);
sel__timer *sel__timers_next(sel__timers *timers);

/* ...it has run. What is to run again waits, until the first run after `now` if nothing
   else was said meanwhile. */
void sel__timers_done(sel__timers *timers, uint32_t slot, int64_t now);

/* What was taken and has not run waits again. */
void sel__timers_put_back(sel__timers *timers);

/* `start` and so many seconds more, to the next nanosecond; SEL__FOREVER where that is far. */
int64_t sel__time_after(int64_t start, double seconds);

static inline bool sel__timers_taken(const sel__timers *timers)
{
    return timers->taken != SEL__NO_TIMER;
}

/* When the next is due; SEL__FOREVER without one. */
static inline int64_t sel__timers_due(const sel__timers *timers)
{
    return timers->waiting > 0 ? timers->heap[0].due : SEL__FOREVER;
}

#endif
