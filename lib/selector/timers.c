/* SPDX-License-Identifier: MIT */
/*
 *            add()            take()           next()           done()
 *     free ────────► waiting ────────► taken ────────► running ────────► free
 *                       ▲                │ put_back(),    │ done(), if it repeats
 *                       └────────────────┴────────────────┘ or was moved
 *
 * What is cancelled is free at once where it waits; else it loses its task, and is freed
 * when its turn comes. What is moved then is marked, and waits when its turn comes.
 */
#include "selector/timers.h"

#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define MOVED 0x80000000U /* a mark in `place` */

enum { CHILDREN = 4 };

void sel__timers_open(sel__timers *timers)
{
    *timers = (sel__timers){.free = SEL__NO_TIMER, .taken = SEL__NO_TIMER};
}

void sel__timers_free(sel__timers *timers)
{
    free(timers->heap);
    free(timers->slots);
}

/* --- the heap --- */

static inline bool is_before(sel__due a, sel__due b)
{
    if (a.due != b.due)
        return a.due < b.due;
    return (int32_t)(a.order - b.order) < 0;
}

static inline void put(sel__timers *timers, uint32_t place, sel__due due)
{
    timers->heap[place] = due;
    timers->slots[due.slot].place = place;
}

/* The place is free: what is due goes there, or above it. */
static void rise(sel__timers *timers, uint32_t place, sel__due due)
{
    while (place > 0) {
        uint32_t parent = (place - 1) / CHILDREN;

        if (!is_before(due, timers->heap[parent]))
            break;
        put(timers, place, timers->heap[parent]);
        place = parent;
    }
    put(timers, place, due);
}

static uint32_t first_child(const sel__timers *timers, uint32_t place)
{
    uint32_t first = CHILDREN * place + 1;
    uint32_t end = first + CHILDREN < timers->waiting ? first + CHILDREN : timers->waiting;
    uint32_t least = first;

    for (uint32_t child = first + 1; child < end; child++)
        if (is_before(timers->heap[child], timers->heap[least]))
            least = child;
    return least;
}

/* The place is free: what is due goes there, or below it. */
static void sink(sel__timers *timers, uint32_t place, sel__due due)
{
    for (;;) {
        uint32_t child = first_child(timers, place);

        if (child >= timers->waiting || !is_before(timers->heap[child], due))
            break;
        put(timers, place, timers->heap[child]);
        place = child;
    }
    put(timers, place, due);
}

static void insert(sel__timers *timers, sel__timer *timer)
{
    sel__due due = {.due = timer->due, .slot = (uint32_t)(timer - timers->slots),
                    .order = timers->made++};

    rise(timers, timers->waiting++, due);
}

/* The last of the heap fills the gap. */
static void take_out(sel__timers *timers, uint32_t place)
{
    sel__due last = timers->heap[--timers->waiting];

    if (place == timers->waiting)
        return;
    if (place > 0 && is_before(last, timers->heap[(place - 1) / CHILDREN]))
        rise(timers, place, last);
    else
        sink(timers, place, last);
}

/* A place that is none, or the next in a list, is in the heap another's or nobody's. */
static bool waits(const sel__timers *timers, const sel__timer *timer)
{
    return timer->place < timers->waiting &&
           &timers->slots[timers->heap[timer->place].slot] == timer;
}

/* --- slots --- */

static int widen(sel__timers *timers)
{
    uint32_t capacity = timers->capacity + timers->capacity / 8 + 8;
    sel__due *heap = realloc(timers->heap, capacity * sizeof *heap);
    sel__timer *slots;

    if (heap == NULL)
        return -ENOMEM;
    timers->heap = heap;
    slots = realloc(timers->slots, capacity * sizeof *slots);
    if (slots == NULL)
        return -ENOMEM;
    timers->slots = slots;
    timers->capacity = capacity;
    return 0;
}

static sel__timer *take_slot(sel__timers *timers)
{
    sel__timer *timer;

    if (timers->free != SEL__NO_TIMER) {
        timer = &timers->slots[timers->free];
        timers->free = timer->place;
        return timer;
    }
    if (timers->length == timers->capacity && widen(timers) < 0)
        return NULL;
    timer = &timers->slots[timers->length++];
    timer->use = 0;
    return timer;
}

static void free_slot(sel__timers *timers, sel__timer *timer)
{
    timer->task = NULL;
    timer->place = SEL__NO_TIMER;
    /* GCOVR_EXCL_START: a slot that was used four billion times has no new id */
    if (timer->use == UINT32_MAX)
        return;
    /* GCOVR_EXCL_STOP */
    timer->place = timers->free;
    timers->free = (uint32_t)(timer - timers->slots);
}

int sel__timers_add(sel__timers *timers, const sel__timer *wanted, uint64_t *ret_id)
{
    sel__timer *timer = take_slot(timers);
    uint32_t use;

    if (timer == NULL)
        return -ENOMEM;
    use = timer->use + 1;
    *timer = *wanted;
    timer->use = use;
    insert(timers, timer);
    *ret_id = (uint64_t)use << 32 | (uint32_t)(timer - timers->slots);
    return 0;
}

sel__timer *sel__timers_find(const sel__timers *timers, uint64_t id)
{
    uint32_t slot = (uint32_t)id;
    sel__timer *timer = slot < timers->length ? &timers->slots[slot] : NULL;

    if (timer == NULL || timer->task == NULL || timer->use != id >> 32)
        return NULL;
    return timer;
}

void sel__timers_cancel(sel__timers *timers, sel__timer *timer)
{
    timer->task = NULL;
    if (!waits(timers, timer))
        return;
    take_out(timers, timer->place);
    free_slot(timers, timer);
}

void sel__timers_move(sel__timers *timers, sel__timer *timer, int64_t due)
{
    timer->due = due;
    if (!waits(timers, timer)) {
        timer->place |= MOVED;
        return;
    }
    take_out(timers, timer->place);
    insert(timers, timer);
}

/* --- running them --- */

void sel__timers_take(sel__timers *timers, int64_t now)
{
    uint32_t *end = &timers->taken;

    while (timers->waiting > 0 && timers->heap[0].due <= now) {
        uint32_t slot = timers->heap[0].slot;

        take_out(timers, 0);
        *end = slot;
        end = &timers->slots[slot].place;
        *end = SEL__NO_TIMER;
    }
}

/* Its turn has come, and it is in no list any more. */
static bool is_to_run(sel__timers *timers, sel__timer *timer, bool was_moved)
{
    if (timer->task == NULL)
        free_slot(timers, timer);
    else if (was_moved)
        insert(timers, timer);
    return timer->task != NULL && !was_moved;
}

sel__timer *sel__timers_next(sel__timers *timers)
{
    while (timers->taken != SEL__NO_TIMER) {
        sel__timer *timer = &timers->slots[timers->taken];
        uint32_t place = timer->place;

        timers->taken = place & ~MOVED;
        timer->place = SEL__NO_TIMER;
        if (is_to_run(timers, timer, (place & MOVED) != 0))
            return timer;
    }
    return NULL;
}

int64_t sel__time_after(int64_t start, double seconds)
{
    int64_t ns = sel__to_ns(fabs(seconds));

    if (seconds < 0)
        return start - ns;
    return ns < SEL__FOREVER - start ? start + ns : SEL__FOREVER;
}

/* Run n comes no earlier than start + n * interval; missed runs are skipped. */
static int64_t next_run(const sel__timer *timer, int64_t now)
{
    double elapsed = sel__to_seconds(now - timer->start);
    double n = floor(elapsed / timer->interval) + 1;

    if (!isfinite(n))
        return now + 1; /* smaller than any clock's */
    return sel__time_after(timer->start, n * timer->interval);
}

void sel__timers_done(sel__timers *timers, uint32_t slot, int64_t now)
{
    sel__timer *timer = &timers->slots[slot];
    bool was_moved = (timer->place & MOVED) != 0;

    if (timer->task == NULL) {
        free_slot(timers, timer);
        return;
    }
    if (!was_moved)
        timer->due = next_run(timer, now);
    insert(timers, timer);
}

void sel__timers_put_back(sel__timers *timers)
{
    for (sel__timer *timer = sel__timers_next(timers); timer != NULL;
         timer = sel__timers_next(timers))
        insert(timers, timer);
}
