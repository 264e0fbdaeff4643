/* SPDX-License-Identifier: MIT */
/*
 * Timers: a uv_timer_t each, whose callback queues the timer. Due times are
 * whole milliseconds of CLOCK_MONOTONIC, as libuv's own, so a handle goes off in
 * the millisecond it is due and never before. libuv holds the waiting ones in
 * order. An id is a handle's slot and how often that was used, so it finds its timer
 * at once and never another.
 */
#include "reactor/services.h"

#include "selector/call.h"
#include "base/clock.h"

#include <math.h>
#include <stdlib.h>

struct sel__timer {
    sel__item item; /* among the due, or the idle */
    uint32_t slot;
    uint32_t use;
    uint64_t order; /* equal due times run in the order they were made */
    uv_timer_t uv;
    sel_task *task; /* NULL: cancelled, or has run */
    void *data;
    uint64_t pass; /* that it was made in, and does not run in */
    bool due;      /* recorded for the next dispatch */
    int64_t due_ms;
    int64_t start;   /* of a repeating timer: run n is due at start + n * interval */
    double interval; /* 0: runs once */
};

static int64_t ms_after(int64_t start, double seconds)
{
    int64_t ns = sel__to_ns(seconds);

    if (ns >= SEL__FOREVER - start)
        return SEL__FOREVER / SEL__NS_PER_MS;
    return (start + ns) / SEL__NS_PER_MS + ((start + ns) % SEL__NS_PER_MS != 0);
}

/* Times before the clock began have their order too; further back than ages, none. */
static int64_t ms_at(double when)
{
    if (when >= 0)
        return ms_after(0, when);
    return when > -1e15 ? (int64_t)(when * 1e3) : INT64_MIN / 2;
}

/* --- handles: a stopped one is kept for the next timer --- */

static uint64_t get_id(const sel__timer *timer)
{
    return (uint64_t)timer->use << 32 | timer->slot;
}

static sel__timer *find(const sel__timers *timers, uint64_t id)
{
    uint32_t slot = (uint32_t)id;
    sel__timer *timer = slot < timers->length ? timers->slots[slot] : NULL;

    return timer != NULL && timer->task != NULL && get_id(timer) == id ? timer : NULL;
}

/* The array is as long as the next power of two. */
static int reserve_slot(sel__timers *timers)
{
    size_t length = timers->length;
    sel__timer **slots;

    if ((length & (length - 1)) != 0)
        return 0;
    slots = realloc(timers->slots, (length > 0 ? 2 * length : 1) * sizeof(sel__timer *));
    if (slots == NULL)
        return -ENOMEM;
    timers->slots = slots;
    return 0;
}

static sel__timer *make_handle(sel__reactor *reactor)
{
    sel__timers *timers = &reactor->timers;
    sel__timer *timer = reserve_slot(timers) == 0 ? calloc(1, sizeof *timer) : NULL;

    if (timer == NULL)
        return NULL;
    uv_timer_init(&reactor->main->loop.uv, &timer->uv);
    timer->uv.data = timer;
    timer->slot = timers->length;
    timers->slots[timers->length++] = timer;
    return timer;
}

static sel__timer *take_handle(sel__reactor *reactor)
{
    sel__timer *timer = reactor->timers.idle;

    if (timer == NULL)
        return make_handle(reactor);
    reactor->timers.idle = (sel__timer *)timer->item.next;
    return timer;
}

static void give_back(sel__timers *timers, sel__timer *timer)
{
    /* GCOVR_EXCL_START: a slot that was used four billion times has no new id */
    if (timer->use == UINT32_MAX)
        return;
    /* GCOVR_EXCL_STOP */
    timer->item.next = (sel__item *)timers->idle;
    timers->idle = timer;
}

/* --- firing --- */

static void record(sel__reactor *reactor, sel__timer *timer)
{
    timer->due = true;
    sel__record(reactor, &reactor->timers.due, &timer->item);
}

/* It stays in the queue, but nothing waits for it any more. */
static void unrecord(sel__reactor *reactor, sel__timer *timer)
{
    reactor->sel->recorded -= timer->due;
    timer->due = false;
}

static void on_timer(uv_timer_t *handle)
{
    record(sel__reactor_on(handle->loop), handle->data);
}

static void start(sel__reactor *reactor, sel__timer *timer)
{
    int64_t left = timer->due_ms - (int64_t)uv_now(&reactor->main->loop.uv);

    timer->pass = reactor->sel->passes;
    uv_timer_start(&timer->uv, on_timer, left > 0 ? (uint64_t)left : 0, 0);
}

static bool is_before(const sel__timer *a, const sel__timer *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

/*
 * libuv fires timers in their order, but counts those that were overdue when
 * they were made as due then: a merge sort puts these right.
 */
static sel__item *sort(sel__item *list)
{
    sel__item *halves[2] = {NULL, NULL};
    sel__item *sorted = NULL;
    sel__item **end = &sorted;

    if (list == NULL || list->next == NULL)
        return list;
    for (int i = 0; list != NULL; i = !i) {
        sel__item *next = list->next;

        list->next = halves[i];
        halves[i] = list;
        list = next;
    }
    halves[0] = sort(halves[0]);
    halves[1] = sort(halves[1]);
    while (halves[0] != NULL && halves[1] != NULL) {
        int first = is_before((sel__timer *)halves[1], (sel__timer *)halves[0]);

        *end = halves[first];
        end = &halves[first]->next;
        halves[first] = *end;
    }
    *end = halves[0] != NULL ? halves[0] : halves[1];
    return sorted;
}

/* Run n comes no earlier than start + n * interval; missed runs are skipped. */
static void start_again(sel__reactor *reactor, sel__timer *timer)
{
    int64_t now = sel__now();
    double elapsed = sel__to_seconds(now - timer->start);
    double n = floor(elapsed / timer->interval) + 1;

    timer->due_ms = isfinite(n) ? ms_after(timer->start, n * timer->interval)
                                : now / SEL__NS_PER_MS + 1; /* smaller than any clock's */
    start(reactor, timer);
}

/* The task may cancel the timer that it runs for, if that would run again. */
static void run(sel__reactor *reactor, sel__timer *timer)
{
    sel_task *task = timer->task;

    if (timer->interval == 0)
        timer->task = NULL;
    sel__call_task(reactor->sel, task, timer->data, "timer");
    if (timer->task != NULL)
        start_again(reactor, timer);
    else
        give_back(&reactor->timers, timer);
}

int sel__timers_dispatch(sel__reactor *reactor)
{
    sel__item *due = sort(sel__queue_take(&reactor->timers.due));
    int called = 0;

    while (due != NULL && !sel__is_foreign(reactor->sel)) {
        sel__timer *timer = (sel__timer *)due;

        due = due->next;
        unrecord(reactor, timer);
        if (timer->task == NULL) {
            give_back(&reactor->timers, timer);
        } else if (timer->pass == reactor->sel->passes) {
            record(reactor, timer);
        } else {
            run(reactor, timer);
            called++;
        }
    }
    sel__queue_put_back(&reactor->timers.due, due);
    return called;
}

/* --- calls --- */

static int make(sel_selector *sel, const char *call, int64_t due_ms, const sel__timer *wanted,
                sel_timer *ret_timer)
{
    sel__reactor *reactor;
    sel__timer *timer;
    int error = wanted->task != NULL ? sel__get_main_loop(sel, call, &reactor) : -EINVAL;

    if (error < 0)
        return error;
    timer = take_handle(reactor);
    if (timer == NULL)
        return -ENOMEM;
    timer->use++;
    timer->order = reactor->timers.made++;
    timer->task = wanted->task;
    timer->data = wanted->data;
    timer->start = wanted->start;
    timer->interval = wanted->interval;
    timer->due_ms = due_ms;
    start(reactor, timer);
    sel__revive(sel);
    if (ret_timer != NULL)
        ret_timer->id = get_id(timer);
    return 0;
}

int sel_call_later(sel_selector *sel, double delay, sel_task *task, void *data,
                   sel_timer *ret_timer)
{
    sel__timer wanted = {.task = task, .data = data};
    int64_t now = sel__now();

    if (isnan(delay))
        return -EINVAL;
    return make(sel, __func__, delay > 0 ? ms_after(now, delay) : now / SEL__NS_PER_MS, &wanted,
                ret_timer);
}

int sel_call_at(sel_selector *sel, double when, sel_task *task, void *data,
                sel_timer *ret_timer)
{
    sel__timer wanted = {.task = task, .data = data};

    return isnan(when) ? -EINVAL : make(sel, __func__, ms_at(when), &wanted, ret_timer);
}

int sel_call_every(sel_selector *sel, double interval, sel_task *task, void *data,
                   sel_timer *ret_timer)
{
    sel__timer wanted = {.task = task, .data = data, .start = sel__now(), .interval = interval};

    if (!(interval > 0))
        return -EINVAL;
    return make(sel, __func__, ms_after(wanted.start, interval), &wanted, ret_timer);
}

int sel_cancel(sel_selector *sel, sel_timer id)
{
    int error = sel__enter(sel, __func__);
    sel__reactor *reactor;
    sel__timer *timer;

    if (error < 0)
        return error;
    reactor = sel__reactor_of(sel);
    timer = reactor != NULL ? find(&reactor->timers, id.id) : NULL;
    if (timer == NULL)
        return -ENOENT;
    timer->task = NULL;
    unrecord(reactor, timer);
    if (uv_is_active((uv_handle_t *)&timer->uv)) {
        uv_timer_stop(&timer->uv);
        give_back(&reactor->timers, timer);
    }
    return 0;
}

void sel__timers_free(sel__reactor *reactor)
{
    for (uint32_t i = 0; i < reactor->timers.length; i++)
        free(reactor->timers.slots[i]);
    free(reactor->timers.slots);
}
