/* SPDX-License-Identifier: MIT */
/*
 * Timers: a heap by due time, as in asyncio, over slots that keep their numbers.
 *
 *     heap    [due, slot, stamp][due, slot, stamp]...    four children each
 *     slots   [timer, stamp][timer, stamp]...
 *
 *              add()             next()
 *     free ───────────► waiting ────────► free, or running if it repeats
 *       │                 ▲  ▲                        │ rearm()
 *       └───► put off ────┘  └────────────────────────┘
 *                    end()
 *
 * Timers that are due at the same time run in the order in which they were made.
 * Cancelling and moving a timer touch only its slot: an entry belongs to its timer as
 * long as both have the same stamp, and the timer may be due later than the entry says.
 * The heap's first entry is always exact; the others are corrected when they get there,
 * or when too many are stale. What becomes due while a pass runs the timers that were
 * due before is put off until the pass ends. An id is a timer's slot and how often that
 * slot has been used, so it finds its timer at once, and never another.
 */
#ifndef SEL_TIMERS_H
#define SEL_TIMERS_H

#include "selector/backend.h"
#include "selector/tasks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sel__repeat {
    int64_t start;   /* run n is due at start + n * interval, from n = 0 */
    double interval; /* seconds */
} sel__repeat;

typedef struct sel__timer {
    sel_task *task; /* NULL: cancelled, or free */
    void *data;
    int64_t due;         /* in the clock's nanoseconds */
    sel__repeat *repeat; /* NULL: runs once */
    uint32_t use;
    uint32_t stamp; /* even: the same as its heap entry's; odd: see sel__timer_link() */
} sel__timer;

typedef struct {
    int64_t due;
    uint32_t slot;
    uint32_t stamp; /* may wrap: entries due at the same time are never far apart */
} sel__due;

typedef struct sel__timers {
    sel__due *heap;
    sel__timer *slots;
    int length;         /* of the heap */
    int room;           /* of the heap, with some for those that are out */
    int capacity;       /* of slots */
    int pending;        /* how many are still to run */
    int repeating;      /* how many slots have a sel__repeat */
    int out;            /* how many are put off or running */
    uint32_t stamp;     /* the next */
    uint32_t free;      /* the first free slot */
    uint32_t first_off; /* the first and the last slot that are put off */
    uint32_t last_off;
    int64_t limit;    /* a pass runs what was due by then; SEL__NO_LIMIT: no pass is on */
    uint64_t running; /* the repeating timer whose task is being called, or 0 */
} sel__timers;

enum { SEL__FEW_TIMERS = 64 };

#define SEL__NO_LIMIT INT64_MIN
#define SEL__NO_TIMER 0x7fffffffU /* no slot's number */

void sel__timers_open(sel__timers *timers);
void sel__timers_free(sel__timers *timers);

/* Make it repeat, every `interval` seconds. Returns 0, or -ENOMEM with the timer cancelled. */
int sel__timers_repeat(sel__timers *timers, uint32_t slot, double interval);

/*
 * A pass that runs the timers due by `now`: begin, take one after the other until a
 * task is NULL, end. What becomes due in between is not among them.
 */
void sel__timers_begin(sel__timers *timers, int64_t now);
sel__call sel__timers_next(sel__timers *timers);
void sel__timers_end(sel__timers *timers);

/*
 * The one that was running now waits for its first run after `now`, unless its task
 * decided otherwise.
 */
void sel__timers_rearm(sel__timers *timers, int64_t now);

/*
 * When the next is due, leaving aside those that are put off; SEL__FOREVER if there is
 * none.
 */
static inline int64_t sel__timers_due(const sel__timers *timers)
{
    return timers->length > 0 ? timers->heap[0].due : SEL__FOREVER;
}

/* `deadline`, or when the next is due if that is earlier. */
static inline int64_t sel__timers_cut(const sel__timers *timers, int64_t deadline)
{
    if (timers->length > 0 && timers->heap[0].due < deadline)
        return timers->heap[0].due;
    return deadline;
}

static inline uint64_t sel__timer_id(const sel__timers *timers, uint32_t slot)
{
    return (uint64_t)timers->slots[slot].use << 32 | slot;
}

static inline uint32_t sel__timer_slot(uint64_t id)
{
    return (uint32_t)id;
}

/* Is a timer with this id still to run? */
static inline bool sel__timers_have(const sel__timers *timers, uint64_t id)
{
    uint32_t slot = sel__timer_slot(id);

    return slot < (uint32_t)timers->capacity && timers->slots[slot].task != NULL &&
           timers->slots[slot].use == id >> 32;
}

/* --- Adding, moving and cancelling one, inline. -------------------------- */

/* The stamp of a slot that is in a list: the number of the next one. */
static inline uint32_t sel__timer_link(uint32_t next)
{
    return next << 1 | 1;
}

static inline uint32_t sel__timer_next(uint32_t link)
{
    return link >> 1;
}

static inline bool sel__timer_waits(const sel__timer *timer)
{
    return (timer->stamp & 1) == 0;
}

/*
 * Needs no room check: it was made for a new one, and one that was out has kept its
 * own. Only entries that are due later move down; those due at the same time were made
 * before.
 */
static inline void sel__timers_push(sel__timers *timers, uint32_t slot)
{
    sel__timer *timer = &timers->slots[slot];
    size_t place = (size_t)timers->length++;
    int64_t due = timer->due;

    while (place > 0 && due < timers->heap[(place - 1) / 4].due) {
        timers->heap[place] = timers->heap[(place - 1) / 4];
        place = (place - 1) / 4;
    }
    timers->heap[place] = (sel__due){due, slot, timers->stamp};
    timer->stamp = timers->stamp;
    timers->stamp += 2;
}

void sel__timers_put_off(sel__timers *timers, uint32_t slot);

static inline void sel__timers_wait(sel__timers *timers, uint32_t slot)
{
    if (timers->slots[slot].due > timers->limit)
        sel__timers_push(timers, slot);
    else
        sel__timers_put_off(timers, slot);
}

static inline bool sel__timers_have_room(const sel__timers *timers)
{
    return timers->length + timers->out < timers->room;
}

/* Make room for one more entry and slot. Returns 0 or -ENOMEM. */
int sel__timers_make_room(sel__timers *timers);

/* Needs a free slot. */
static inline uint32_t sel__timers_fill_slot(sel__timers *timers, sel__call call, int64_t due)
{
    uint32_t slot = timers->free;
    sel__timer *timer = &timers->slots[slot];

    timers->free = sel__timer_next(timer->stamp);
    timer->task = call.task;
    timer->data = call.data;
    timer->due = due;
    timer->use++;
    timers->pending++;
    return slot;
}

/* Add a timer, for which there must be room. Returns its slot. */
static inline uint32_t sel__timers_add(sel__timers *timers, sel__call call, int64_t due)
{
    uint32_t slot = sel__timers_fill_slot(timers, call, due);

    sel__timers_wait(timers, slot);
    return slot;
}

/* The same if it takes only a few steps, as it nearly always does; else SEL__NO_TIMER. */
static inline uint32_t sel__timers_add_quickly(sel__timers *timers, sel__call call, int64_t due)
{
    uint32_t slot;

    if (timers->free == SEL__NO_TIMER || !sel__timers_have_room(timers) ||
        due <= timers->limit)
        return SEL__NO_TIMER;
    slot = sel__timers_fill_slot(timers, call, due);
    sel__timers_push(timers, slot);
    return slot;
}

/* Make it due at another time, from which it also repeats. */
void sel__timers_move(sel__timers *timers, uint32_t slot, int64_t due);

/*
 * The same for a timer that becomes due later, like a timeout that is restarted: it
 * keeps its entry. Returns false if it can't, because the entry is the first one or
 * this pass would run it.
 */
static inline bool sel__timers_move_quickly(sel__timers *timers, uint32_t slot, int64_t due)
{
    sel__timer *timer = &timers->slots[slot];

    if (!sel__timer_waits(timer) || timer->repeat != NULL || due < timer->due ||
        due <= timers->limit || timers->heap[0].slot == slot)
        return false;
    timer->due = due;
    return true;
}

static inline void sel__timers_free_slot(sel__timers *timers, uint32_t slot)
{
    sel__timer *timer = &timers->slots[slot];

    timer->task = NULL;
    timer->stamp = sel__timer_link(timers->free);
    /* GCOVR_EXCL_START: a slot used four billion times has run out of ids */
    if (timer->use == UINT32_MAX)
        return;
    /* GCOVR_EXCL_STOP */
    timers->free = slot;
}

/* Do most entries no longer belong to a timer? */
static inline bool sel__timers_are_stale(const sel__timers *timers)
{
    return timers->length > 4 * timers->pending + SEL__FEW_TIMERS;
}

/* Cancel it. */
void sel__timers_cancel(sel__timers *timers, uint32_t slot);

/* The same if its entry may stay and nothing else has to be done; else false. */
static inline bool sel__timers_cancel_quickly(sel__timers *timers, uint32_t slot)
{
    const sel__timer *timer = &timers->slots[slot];

    if (!sel__timer_waits(timer) || timer->repeat != NULL || timers->heap[0].slot == slot ||
        sel__timers_are_stale(timers))
        return false;
    timers->pending--;
    sel__timers_free_slot(timers, slot);
    return true;
}

#endif
