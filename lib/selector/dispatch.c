/* SPDX-License-Identifier: MIT */
/*
 * Calling what a wait has collected: tasks, pairs, and through the services' table
 * timers, signal handlers and results. Nothing of the program's is called at any other
 * time, but the `done` of jobs that sel_close() ends.
 *
 * What is called may fork and return in the child too. There the pass ends: what
 * it had taken goes back to where it was.
 */
#include "selector/call.h"
#include "selector/selector.h"

/* Like what follows it returns how many were called, or -ECHILD. */
static int call_these(sel_selector *sel, sel__call (*pop)(sel__tasks *tasks), uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        sel__call call = pop(&sel->tasks);

        sel__call_task(sel, call.task, call.data, "task");
        if (sel__is_foreign(sel))
            return -ECHILD;
    }
    return (int)count;
}

/* What a task queues runs in the next pass. */
SEL__RARE static int call_tasks(sel_selector *sel)
{
    uint32_t count = sel->tasks.count, posted;
    int called;

    sel__tasks_collect(&sel->tasks);
    posted = sel->tasks.posted_count;
    called = call_these(sel, sel__tasks_pop, count);
    if (called >= 0 && posted > 0)
        called = call_these(sel, sel__tasks_pop_posted, posted);
    return called >= 0 ? (int)(count + posted) : called;
}

/* What a timer's task makes due is not taken any more: it runs in the next pass. */
SEL__RARE static int call_timers(sel_selector *sel, int called)
{
    sel__timers *timers = &sel->timers;

    for (sel__timer *next = sel__timers_next(timers); next != NULL;
         next = sel__timers_next(timers)) {
        sel__timer timer = *next; /* the array may move */
        uint32_t slot = (uint32_t)(next - timers->slots);

        if (timer.interval == 0)
            next->task = NULL;
        sel__call_task(sel, timer.task, timer.data, "timer");
        sel__timers_done(timers, slot, timer.interval > 0 ? sel__now() : 0);
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

/*
 * The array neither moves nor grows until the next wait, so a callback may
 * change any key.
 */
static inline int call_ready(sel_selector *sel, bool observed, int called)
{
    const unsigned int *mark = sel->mark; /* it stays the same inside a callback */
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

static inline int call_all(sel_selector *sel, bool observed)
{
    int called = 0;

    sel->busy |= SEL__DISPATCHING;
    if (sel->timers.waiting > 0)
        sel__timers_take(&sel->timers, sel__now());
    if (sel__tasks_exist(&sel->tasks))
        called = call_tasks(sel);
    if (called >= 0)
        called = call_ready(sel, observed, called);
    if (called >= 0 && sel__timers_taken(&sel->timers))
        called = call_timers(sel, called);
    if (called >= 0 && sel->services != NULL)
        called = call_services(sel, called);
    if (called < 0)
        sel__timers_put_back(&sel->timers);
    sel->busy &= (uint8_t)~SEL__DISPATCHING;
    if (called >= 0)
        sel->callbacks += (unsigned)called;
    return called;
}

SEL__RARE static int call_all_observed(sel_selector *sel)
{
    int called;

    sel__observe_dispatch(sel->observer);
    called = call_all(sel, true);
    sel__observe_dispatched(sel->observer);
    return called;
}

static inline int dispatch(sel_selector *sel)
{
    return sel->observer == NULL ? call_all(sel, false) : call_all_observed(sel);
}

int sel__dispatch(sel_selector *sel)
{
    return dispatch(sel);
}

int sel_dispatch(sel_selector *sel)
{
    int error = sel__usable(sel);

    if (error < 0)
        return error;
    return sel__is_busy(sel) ? -EBUSY : dispatch(sel);
}
