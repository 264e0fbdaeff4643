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

#include <stdlib.h>

/*
 * What a task queues is not taken any more: it runs in the next pass. Like what
 * follows it returns how many were called, or -ECHILD.
 */
SEL__RARE static int call_tasks(sel_selector *sel)
{
    sel__item *item = sel__tasks_take(&sel->tasks);
    int called = 0;

    while (item != NULL && !sel__is_foreign(sel)) {
        sel__queued task = *(sel__queued *)item;

        free(item);
        item = task.item.next;
        sel__call_task(sel, task.task, task.data, "task");
        called++;
    }
    sel__queue_put_back(&sel->tasks.queue, item);
    return sel__is_foreign(sel) ? -ECHILD : called;
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
    if (sel__tasks_exist(&sel->tasks))
        called = call_tasks(sel);
    if (called >= 0)
        called = call_ready(sel, observed, called);
    if (called >= 0 && sel->services != NULL)
        called = call_services(sel, called);
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
