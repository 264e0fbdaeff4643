/* SPDX-License-Identifier: MIT */
/*
 * The calls about timers. They wait in selector/timers.c, and the dispatch runs them.
 */
#include <selkie/reactor.h>

#include "base/clock.h"
#include "selector/selector.h"

#include <math.h>

static int make(sel_selector *sel, const char *call, const sel__timer *wanted,
                sel_timer *ret_timer)
{
    int error = sel__enter(sel, call);
    uint64_t id;

    if (error == 0 && wanted->task == NULL)
        error = -EINVAL;
    if (error == 0)
        error = sel__timers_add(&sel->timers, wanted, &id);
    if (error < 0)
        return error;
    sel__revive(sel);
    if (ret_timer != NULL)
        ret_timer->id = id;
    return 0;
}

int sel_call_later(sel_selector *sel, double delay, sel_task *task, void *data,
                   sel_timer *ret_timer)
{
    sel__timer wanted = {.task = task, .data = data};

    if (isnan(delay))
        return -EINVAL;
    wanted.due = sel__time_after(sel__now(), delay);
    return make(sel, __func__, &wanted, ret_timer);
}

int sel_call_at(sel_selector *sel, double when, sel_task *task, void *data,
                sel_timer *ret_timer)
{
    sel__timer wanted = {.task = task, .data = data};

    if (isnan(when))
        return -EINVAL;
    wanted.due = sel__time_after(0, when);
    return make(sel, __func__, &wanted, ret_timer);
}

int sel_call_every(sel_selector *sel, double interval, sel_task *task, void *data,
                   sel_timer *ret_timer)
{
    sel__timer wanted = {.task = task, .data = data, .start = sel__now(), .interval = interval};

    if (!(interval > 0))
        return -EINVAL;
    wanted.due = sel__time_after(wanted.start, interval);
    return make(sel, __func__, &wanted, ret_timer);
}

static int find(sel_selector *sel, const char *call, sel_timer id, sel__timer **ret_timer)
{
    int error = sel__enter(sel, call);

    if (error < 0)
        return error;
    *ret_timer = sel__timers_find(&sel->timers, id.id);
    return *ret_timer != NULL ? 0 : -ENOENT;
}

int sel_cancel(sel_selector *sel, sel_timer id)
{
    sel__timer *timer;
    int error = find(sel, __func__, id, &timer);

    if (error == 0)
        sel__timers_cancel(&sel->timers, timer);
    return error;
}

/* A repeating one goes on from there: that is its first run. */
int sel_reschedule(sel_selector *sel, sel_timer id, double delay)
{
    sel__timer *timer;
    int error = isnan(delay) ? -EINVAL : find(sel, __func__, id, &timer);
    int64_t due;

    if (error < 0)
        return error;
    due = sel__time_after(sel__now(), delay);
    timer->start = timer->interval > 0 ? sel__time_after(due, -timer->interval) : 0;
    sel__timers_move(&sel->timers, timer, due);
    sel__revive(sel);
    return 0;
}
