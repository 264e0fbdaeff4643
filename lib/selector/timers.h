/* SPDX-License-Identifier: MIT */
/*
 * Timers: a heap by due time over slots that keep their numbers, as asyncio has them.
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
 * Equal due times run in the order in which they were made. Cancelling and moving touch
 * only the slot: an entry is its timer's while both have the same stamp, and a timer may
 * have become due later than its entry says. The heap's first entry is always exact;
 * others are set right when they come there, or when they are too many. What becomes due
 * while a pass runs those that were due before is put off until its end. An id is a
 * timer's slot and how often that was used, so it finds its timer at once and never another.
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
    int64_t due;         /* nanoseconds of the clock */
    sel__repeat *repeat; /* NULL: runs once */
    uint32_t use;
    uint32_t stamp; /* as its entry's in the heap: even. Else odd: see sel__timer_link() */
} sel__timer;

typedef struct {
    int64_t due;
    uint32_t slot;
    uint32_t stamp; /* they may go round: equal due times are not far apart */
} sel__due;

typedef struct sel__timers {
    sel__due *heap;
    sel__timer *slots;
    int length;         /* of the heap */
    int room;           /* of the heap: there is some for what is out, too */
    int capacity;       /* of slots */
    int pending;        /* how many are to run */
    int repeating;      /* how many of the slots' have a sel__repeat */
    int out;            /* how many are put off or running */
    uint32_t stamp;     /* the next */
    uint32_t free;      /* the first free slot */
    uint32_t first_off; /* the first slot that is put off, and the last */
    uint32_t last_off;
    int64_t limit;    /* a pass runs what was due by then; SEL__NO_LIMIT: there is none */
    uint64_t running; /* the repeating one whose task is being called, or 0 */
} sel__timers;

enum { SEL__FEW_TIMERS = 64 };

#define SEL__NO_LIMIT INT64_MIN
#define SEL__NO_TIMER 0x7fffffffU /* a slot's number */

void sel__timers_open(sel__timers *timers);
void sel__timers_free(sel__timers *timers);

/* It runs again and again, `interval` seconds apart. 0, or -ENOMEM and it is cancelled. */
int sel__timers_repeat(sel__timers *timers, uint32_t slot, double interval);

/*
 * A pass that runs those that are due by `now`. The next of them: its task is NULL after
 * the last. What becomes due in between is not among them.
 */
void sel__timers_begin(sel__timers *timers, int64_t now);
sel__call sel__timers_next(sel__timers *timers);
void sel__timers_end(sel__timers *timers);

/* What was running waits for its first run after `now`, unless its task said otherwise. */
void sel__timers_rearm(sel__timers *timers, int64_t now);

/* When the next is due, what is put off aside; SEL__FOREVER without one. */
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

/* One with this id is to run. */
static inline bool sel__timers_have(const sel__timers *timers, uint64_t id)
{
    uint32_t slot = sel__timer_slot(id);

    return slot < (uint32_t)timers->capacity && timers->slots[slot].task != NULL &&
           timers->slots[slot].use == id >> 32;
}

/* --- Adding, moving and cancelling one, in line. ------------------------- */

/* The stamp of a slot in a list: the next one's number. */
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
 * There is room: for a new one it was made, and what was out has kept its own. Above it
 * goes what is due later; what is due at the same time was made before.
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

/* For an entry more, and a slot. 0 or -ENOMEM. */
int sel__timers_make_room(sel__timers *timers);

/* There is a free slot. */
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

/* Let a timer wait: its slot. There is room for it. */
static inline uint32_t sel__timers_add(sel__timers *timers, sel__call call, int64_t due)
{
    uint32_t slot = sel__timers_fill_slot(timers, call, due);

    sel__timers_wait(timers, slot);
    return slot;
}

/* The same where that is done in a few steps, as nearly always; else SEL__NO_TIMER. */
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

/* It is due at another time, and repeats from then on. */
void sel__timers_move(sel__timers *timers, uint32_t slot, int64_t due);

/*
 * The same for one that is due later, as a timeout that begins anew: it keeps its entry,
 * unless that is the first or what this pass would run. Else false.
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
    /* GCOVR_EXCL_START: a slot that was used four billion times has no new id */
    if (timer->use == UINT32_MAX)
        return;
    /* GCOVR_EXCL_STOP */
    timers->free = slot;
}

/* Most entries are no timer's any more. */
static inline bool sel__timers_are_stale(const sel__timers *timers)
{
    return timers->length > 4 * timers->pending + SEL__FEW_TIMERS;
}

/* It is not to run. */
void sel__timers_cancel(sel__timers *timers, uint32_t slot);

/* The same, where its entry may stay and nothing else is to be done; else false. */
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
