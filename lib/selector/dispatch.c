/* SPDX-License-Identifier: MIT */
/*
 * Calling whatever a wait has collected: tasks, pairs, timers and, through the
 * services' table, the program's handles, signal handlers and results. The program is
 * called from nowhere else, except for the `done` of jobs that sel_close() ends.
 *
 * Whatever is called may fork and return in the child too. There the pass ends, and
 * what has not run yet stays queued.
 */
#include "selector/call.h"
#include "selector/selector.h"

void sel__call_task_observed(sel_selector *sel, int fd, sel_task *task, void *data,
                             const char *kind)
{
    sel__observe_begin(sel->observer);
    task(sel, data);
    sel__observe_end(sel->observer, kind, fd, (sel__function *)task);
}

/*
 * Returns how many were called or -ECHILD, like the functions below, which add to what
 * was called before. What a task queues runs in the next pass.
 */
static SEL__APART int call_tasks(sel_selector *sel)
{
    const unsigned int *mark = sel->mark; /* does not change during a callback */
    uint32_t count = sel->tasks.count;

    for (uint32_t left = count; left > 0; left--) {
        sel__call call = sel__tasks_pop(&sel->tasks);

        sel__call_task(sel, call.task, call.data, "task");
        if (*mark == 0)
            return -ECHILD;
    }
    return (int)count;
}

static SEL__APART int call_timers(sel_selector *sel, int called)
{
    sel__timers *timers = &sel->timers;

    for (sel__call call = sel__timers_next(timers); call.task != NULL;
         call = sel__timers_next(timers)) {
        sel__call_task(sel, call.task, call.data, "timer");
        if (timers->running != 0)
            sel__timers_rearm(timers, sel__now());
        if (sel__is_foreign(sel))
            return -ECHILD;
        called++;
    }
    return called;
}

static inline bool is_to_call(const sel_ready *pair)
{
    return pair->mask != 0 && pair->key.callback != NULL;
}

/* The array neither moves nor grows until the next wait, so a callback may change any key. */
static inline int call_ready(sel_selector *sel, bool observed, int called)
{
    const unsigned int *mark = sel->mark;
    const sel_ready *pair = sel->batch.pairs + sel->batch.next;
    const sel_ready *end = sel->batch.pairs + sel->batch.length;

    for (sel->batch.next = sel->batch.length; pair < end; pair++) {
        if (!is_to_call(pair))
            continue;
        if (observed)
            sel__call_observed(sel, pair);
        else
            pair->key.callback(sel, &pair->key, pair->mask);
        if (*mark == 0)
            return -ECHILD;
        called++;
    }
    return called;
}

SEL__RARE static int call_services(sel_selector *sel, int called)
{
    called += sel->services->table->dispatch(sel->services);
    return sel__is_foreign(sel) ? -ECHILD : called;
}

/*
 * Timers due by this time run in this pass; SEL__NO_LIMIT if there are none. Right
 * after a wait, what the wait learned about the time is enough if the next timer is far
 * off.
 */
static inline int64_t get_limit(const sel_selector *sel, bool has_waited)
{
    int64_t due = sel__timers_due(&sel->timers);
    int64_t now;

    if (due == SEL__FOREVER || (has_waited && due >= sel->undue))
        return SEL__NO_LIMIT;
    now = sel__now();
    return due <= now ? now : SEL__NO_LIMIT;
}

static inline int call_all(sel_selector *sel, bool observed, bool has_waited)
{
    int64_t limit = get_limit(sel, has_waited);
    bool has_timers = limit != SEL__NO_LIMIT;
    int called = 0;

    if (has_timers)
        sel__timers_begin(&sel->timers, limit);
    if (sel__tasks_in_inbox(&sel->tasks))
        sel__tasks_collect(&sel->tasks);
    if (sel->tasks.count > 0)
        called = call_tasks(sel);
    if (called >= 0 && sel->batch.next < sel->batch.length)
        called = call_ready(sel, observed, called);
    if (called >= 0 && has_timers)
        called = call_timers(sel, called);
    if (called >= 0 && (sel->recorded | (int)sel->restless) != 0)
        called = call_services(sel, called);
    if (has_timers)
        sel__timers_end(&sel->timers);
    return called;
}

SEL__RARE static int call_all_observed(sel_selector *sel)
{
    int called;

    sel__observe_dispatch(sel->observer);
    called = call_all(sel, true, false);
    sel__observe_dispatched(sel->observer);
    return called;
}

static inline int call_whatever_is(sel_selector *sel, bool has_waited)
{
    return sel->observer == NULL ? call_all(sel, false, has_waited) : call_all_observed(sel);
}

static inline void begin(sel_selector *sel)
{
    sel->busy |= SEL__DISPATCHING;
}

static inline int end(sel_selector *sel, int called)
{
    sel->busy &= (uint8_t)~SEL__DISPATCHING;
    if (called >= 0)
        sel->callbacks += (unsigned)called;
    return called;
}

int sel__dispatch(sel_selector *sel)
{
    begin(sel);
    return end(sel, call_whatever_is(sel, true));
}

/* True in most passes of a program that dispatches by itself. */
static inline bool has_pairs_alone(const sel_selector *sel)
{
    unsigned more = sel__tasks_waiting(&sel->tasks) | (unsigned)sel->recorded |
                    (unsigned)sel->timers.length;

    return more == 0 && !sel->restless && sel->observer == NULL;
}

static SEL__APART int call_more_than_pairs(sel_selector *sel)
{
    return call_whatever_is(sel, false);
}

int sel_dispatch(sel_selector *sel)
{
    int error = sel__usable(sel);

    if (error < 0)
        return error;
    if (sel__is_busy(sel))
        return -EBUSY;
    begin(sel);
    return end(sel, has_pairs_alone(sel) ? call_ready(sel, false, 0) : call_more_than_pairs(sel));
}
