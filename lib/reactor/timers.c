/* SPDX-License-Identifier: MIT */
/*
 * The calls about timers. They wait in selector/timers.c, and the dispatch runs them.
 */
#include <selkie/reactor.h>

#include "base/clock.h"
#include "selector/selector.h"

#include <math.h>

static inline int add(sel_selector *sel, const char *call, sel__call wanted, int64_t due,
                      double interval, sel_timer *ret_timer)
{
    int error = sel__enter(sel, call);
    uint32_t slot;

    if (error < 0 || wanted.task == NULL)
        return error < 0 ? error : -EINVAL;
    slot = sel__timers_add(&sel->timers, wanted, due);
    if (slot == SEL__NO_TIMER)
        return -ENOMEM;
    if (interval > 0)
        error = sel__timers_repeat(&sel->timers, slot, interval);
    if (error < 0)
        return error;
    sel__revive(sel);
    if (ret_timer != NULL)
        ret_timer->id = sel__timer_id(&sel->timers, slot);
    return 0;
}

int sel_call_later(sel_selector *sel, double delay, sel_task *task, void *data,
                   sel_timer *ret_timer)
{
    if (isnan(delay))
        return -EINVAL;
    return add(sel, __func__, (sel__call){task, data}, sel__time_after(sel__now(), delay), 0,
               ret_timer);
}

int sel_call_at(sel_selector *sel, double when, sel_task *task, void *data,
                sel_timer *ret_timer)
{
    if (isnan(when))
        return -EINVAL;
    return add(sel, __func__, (sel__call){task, data}, sel__time_after(0, when), 0, ret_timer);
}

int sel_call_every(sel_selector *sel, double interval, sel_task *task, void *data,
                   sel_timer *ret_timer)
{
    if (!(interval > 0))
        return -EINVAL;
    return add(sel, __func__, (sel__call){task, data}, sel__time_after(sel__now(), interval),
               interval, ret_timer);
}

int sel_cancel(sel_selector *sel, sel_timer timer)
{
    int error = sel__enter(sel, __func__);
    uint32_t slot;

    if (error < 0)
        return error;
    slot = sel__timers_find(&sel->timers, timer.id);
    if (slot == SEL__NO_TIMER)
        return -ENOENT;
    sel__timers_cancel(&sel->timers, slot);
    return 0;
}

int sel_reschedule(sel_selector *sel, sel_timer timer, double delay)
{
    int error = sel__enter(sel, __func__);
    uint32_t slot;

    if (error < 0 || isnan(delay))
        return error < 0 ? error : -EINVAL;
    slot = sel__timers_find(&sel->timers, timer.id);
    if (slot == SEL__NO_TIMER)
        return -ENOENT;
    sel__timers_move(&sel->timers, slot, sel__time_after(sel__now(), delay));
    sel__revive(sel);
    return 0;
}
