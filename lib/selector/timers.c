/* SPDX-License-Identifier: MIT */
#include "selector/timers.h"

#include "base/clock.h"
#include "base/grow.h"

#include <math.h>

enum { CHILDREN = 4 };

/* An odd stamp that is no link: the timer's task is being called. */
#define RUNNING 0xfffffffdU

void sel__timers_open(sel__timers *timers)
{
    *timers = (sel__timers){
        .limit = SEL__NO_LIMIT, .free = SEL__NO_TIMER, .first_off = SEL__NO_TIMER};
}

/* --- the heap --- */

/*
 * Out of line and marked unlikely, so that comparing at each level of the heap takes no
 * branch.
 */
static SEL__APART bool was_made_before(const sel__due *a, const sel__due *b)
{
    return (int32_t)(a->stamp - b->stamp) < 0;
}

static inline bool is_before(const sel__due *a, const sel__due *b)
{
    if (__builtin_expect(a->due == b->due, false))
        return was_made_before(a, b);
    return a->due < b->due;
}

static inline const sel__due *earlier(const sel__due *a, const sel__due *b)
{
    return is_before(b, a) ? b : a;
}

/* `place` is free: put `due` there or above it, but no higher than `top`. */
static inline void rise(sel__due *heap, size_t place, size_t top, sel__due due)
{
    for (; place > top && is_before(&due, &heap[(place - 1) / CHILDREN]);
         place = (place - 1) / CHILDREN)
        heap[place] = heap[(place - 1) / CHILDREN];
    heap[place] = due;
}

static inline const sel__due *first_of_four(const sel__due *child)
{
    return earlier(earlier(child, child + 1), earlier(child + 2, child + 3));
}

static inline const sel__due *first_of(const sel__due *child, const sel__due *end)
{
    const sel__due *first = child;

    while (++child < end)
        first = earlier(first, child);
    return first;
}

/*
 * `top` is free: put `due` there or below it. It mostly comes from the bottom and ends
 * up there again, so the way down only asks which child is first.
 */
static void sink(sel__due *heap, size_t length, size_t top, sel__due due)
{
    const sel__due *end = heap + length;
    const sel__due *child = heap + CHILDREN * top + 1;
    sel__due *hole = heap + top;

    for (; child + CHILDREN <= end; child = heap + CHILDREN * (hole - heap) + 1) {
        const sel__due *first = first_of_four(child);

        *hole = *first;
        hole = heap + (first - heap);
    }
    if (child < end) {
        const sel__due *first = first_of(child, end);

        *hole = *first;
        hole = heap + (first - heap);
    }
    rise(heap, (size_t)(hole - heap), top, due);
}

/* Drop the first. Returns whether there is another. */
static inline bool pop(sel__timers *timers)
{
    sel__due last = timers->heap[--timers->length];

    if (timers->length == 0)
        return false;
    sink(timers->heap, (size_t)timers->length, 0, last);
    return true;
}

/* Make the first exact; there must be one. */
static inline void prune(sel__timers *timers)
{
    for (;;) {
        sel__due first = timers->heap[0];
        const sel__timer *timer = &timers->slots[first.slot];

        if (timer->stamp != first.stamp) {
            if (!pop(timers))
                return;
        } else if (timer->due != first.due) {
            first.due = timer->due;
            sink(timers->heap, (size_t)timers->length, 0, first);
        } else {
            return;
        }
    }
}

/* Make every entry exact, by building the heap anew. */
static void rebuild(sel__timers *timers)
{
    sel__due *heap = timers->heap;
    size_t length = 0;

    for (int place = 0; place < timers->length; place++) {
        const sel__timer *timer = &timers->slots[heap[place].slot];

        if (timer->stamp == heap[place].stamp)
            heap[length++] = (sel__due){timer->due, heap[place].slot, timer->stamp};
    }
    timers->length = (int)length;
    for (size_t place = (length + 2) / CHILDREN; place-- > 0;)
        sink(heap, length, place, heap[place]);
}

/*
 * The timer in this slot, which has an entry, was moved or cancelled: the first entry
 * may no longer be exact.
 */
static inline void revise(sel__timers *timers, uint32_t slot)
{
    if (sel__timers_are_stale(timers))
        rebuild(timers);
    else if (timers->heap[0].slot == slot)
        prune(timers);
}

/* --- slots --- */

static int widen_slots(sel__timers *timers)
{
    int slot = timers->capacity;
    int error = sel__widen(&timers->slots, &timers->capacity, slot + 1, sizeof *timers->slots);

    if (error < 0)
        return error;
    timers->free = (uint32_t)slot;
    for (; slot < timers->capacity; slot++) {
        sel__timer *timer = &timers->slots[slot];

        timer->task = NULL;
        timer->repeat = NULL;
        timer->use = 0;
        timer->stamp = sel__timer_link((uint32_t)slot + 1);
    }
    timers->slots[slot - 1].stamp = sel__timer_link(SEL__NO_TIMER);
    return 0;
}

int sel__timers_make_room(sel__timers *timers)
{
    int error = sel__widen(&timers->heap, &timers->room, timers->length + timers->out + 1,
                           sizeof *timers->heap);

    if (error == 0 && timers->free == SEL__NO_TIMER)
        error = widen_slots(timers);
    return error;
}

static inline void forget(sel__timers *timers, uint32_t slot)
{
    sel__timer *timer = &timers->slots[slot];

    if (timer->repeat != NULL) {
        free(timer->repeat);
        timer->repeat = NULL;
        timers->repeating--;
    }
    sel__timers_free_slot(timers, slot);
}

void sel__timers_free(sel__timers *timers)
{
    for (int slot = 0; timers->repeating > 0; slot++)
        if (timers->slots[slot].repeat != NULL)
            forget(timers, (uint32_t)slot);
    free(timers->heap);
    free(timers->slots);
}

int sel__timers_repeat(sel__timers *timers, uint32_t slot, double interval)
{
    sel__timer *timer = &timers->slots[slot];

    timer->repeat = malloc(sizeof *timer->repeat);
    if (timer->repeat == NULL) {
        sel__timers_cancel(timers, slot);
        return -ENOMEM;
    }
    *timer->repeat = (sel__repeat){timer->due, interval};
    timers->repeating++;
    return 0;
}

void sel__timers_cancel(sel__timers *timers, uint32_t slot)
{
    sel__timer *timer = &timers->slots[slot];

    timers->pending--;
    if (sel__timer_waits(timer)) {
        forget(timers, slot);
        revise(timers, slot);
    } else if (timer->stamp == RUNNING) {
        timers->out--;
        forget(timers, slot);
    } else {
        timer->task = NULL; /* the slot is freed at the end of the pass */
    }
}

void sel__timers_put_off(sel__timers *timers, uint32_t slot)
{
    timers->out++;
    timers->slots[slot].stamp = sel__timer_link(SEL__NO_TIMER);
    if (timers->first_off == SEL__NO_TIMER)
        timers->first_off = slot;
    else
        timers->slots[timers->last_off].stamp = sel__timer_link(slot);
    timers->last_off = slot;
}

/*
 * An entry that says too early may stay, unless this pass would then run it. One that
 * says too late is replaced, and dropped when it is found.
 */
static void move_waiting(sel__timers *timers, uint32_t slot, int64_t due)
{
    bool is_left = due < timers->slots[slot].due || due <= timers->limit;

    timers->slots[slot].due = due;
    if (is_left && !sel__timers_have_room(timers) && sel__timers_make_room(timers) < 0) {
        rebuild(timers);
        return;
    }
    if (is_left)
        sel__timers_wait(timers, slot);
    revise(timers, slot);
}

void sel__timers_move(sel__timers *timers, uint32_t slot, int64_t due)
{
    sel__timer *timer = &timers->slots[slot];

    if (timer->repeat != NULL)
        timer->repeat->start = due;
    if (sel__timer_waits(timer)) {
        move_waiting(timers, slot, due);
        return;
    }
    timer->due = due;
    if (timer->stamp == RUNNING) {
        timers->out--;
        sel__timers_wait(timers, slot);
    }
}

/* --- running them --- */

void sel__timers_begin(sel__timers *timers, int64_t now)
{
    timers->limit = now;
}

static inline sel__call run(sel__timers *timers, uint32_t slot)
{
    sel__timer *timer = &timers->slots[slot];
    sel__call call = {timer->task, timer->data};

    if (timer->repeat != NULL) {
        timer->stamp = RUNNING;
        timers->running = sel__timer_id(timers, slot);
        timers->out++;
    } else {
        timers->pending--;
        sel__timers_free_slot(timers, slot);
    }
    return call;
}

sel__call sel__timers_next(sel__timers *timers)
{
    sel__call call = {0};

    if (sel__timers_due(timers) <= timers->limit) {
        call = run(timers, timers->heap[0].slot);
        if (pop(timers))
            prune(timers);
    }
    return call;
}

/* Run n comes no earlier than start + n * interval; missed runs are skipped. */
static int64_t next_run(const sel__repeat *repeat, int64_t now)
{
    double elapsed = sel__to_seconds(now - repeat->start);
    double n = floor(elapsed / repeat->interval) + 1;

    if (!isfinite(n))
        return now + 1; /* the interval is below any clock's resolution */
    return sel__time_after(repeat->start, n * repeat->interval);
}

void sel__timers_rearm(sel__timers *timers, int64_t now)
{
    uint64_t id = timers->running;
    uint32_t slot = sel__timer_slot(id);
    sel__timer *timer;

    timers->running = 0;
    if (!sel__timers_have(timers, id) || timers->slots[slot].stamp != RUNNING)
        return;
    timer = &timers->slots[slot];
    timer->due = next_run(timer->repeat, now);
    timers->out--;
    sel__timers_push(timers, slot);
}

void sel__timers_end(sel__timers *timers)
{
    timers->limit = SEL__NO_LIMIT;
    while (timers->first_off != SEL__NO_TIMER) {
        uint32_t slot = timers->first_off;

        timers->first_off = sel__timer_next(timers->slots[slot].stamp);
        timers->out--;
        if (timers->slots[slot].task != NULL)
            sel__timers_push(timers, slot);
        else
            forget(timers, slot);
    }
}
