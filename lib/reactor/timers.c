/* SPDX-License-Identifier: MIT */
/*
 * The calls that deal with timers. selector/timers.c keeps the timers, and the dispatch
 * runs them.
 */
#include <selkie/reactor.h>

#include "base/clock.h"
#include "selector/selector.h"

/* Only the timers are concerned: no observer, no attachment. */
static inline bool is_plain(const sel_selector *sel)
{
    return sel__usable(sel) == 0 && sel->observer == NULL && sel->attachment == NULL;
}

static inline int tell(const sel_selector *sel, uint32_t slot, sel_timer *ret_timer)
{
    if (ret_timer != NULL)
        ret_timer->id = sel__timer_id(&sel->timers, slot);
    return 0;
}

static SEL__APART int add_slowly(sel_selector *sel, const char *call, sel__call wanted,
                                 int64_t due, sel_timer *ret_timer)
{
    int error = sel__enter(sel, call);

    if (error == 0 && (wanted.task == NULL || due == SEL__NO_TIME))
        error = -EINVAL;
    if (error == 0)
        error = sel__timers_make_room(&sel->timers);
    if (error < 0)
        return error;
    sel__revive(sel);
    return tell(sel, sel__timers_add(&sel->timers, wanted, due), ret_timer);
}

static inline int add(sel_selector *sel, const char *call, sel__call wanted, int64_t due,
                      sel_timer *ret_timer)
{
    uint32_t slot = SEL__NO_TIMER;

    if (is_plain(sel) && wanted.task != NULL)
        slot = sel__timers_add_quickly(&sel->timers, wanted, due);
    if (slot == SEL__NO_TIMER)
        return add_slowly(sel, call, wanted, due, ret_timer);
    return tell(sel, slot, ret_timer);
}

int sel_call_later(sel_selector *sel, double delay, sel_task *task, void *data,
                   sel_timer *ret_timer)
{
    return add(sel, __func__, (sel__call){task, data}, sel__time_after(sel__now(), delay),
               ret_timer);
}

int sel_call_at(sel_selector *sel, double when, sel_task *task, void *data,
                sel_timer *ret_timer)
{
    return add(sel, __func__, (sel__call){task, data}, sel__time_after(0, when), ret_timer);
}

int sel_call_every(sel_selector *sel, double interval, sel_task *task, void *data,
                   sel_timer *ret_timer)
{
    sel_timer timer;
    int error;

    if (!(interval > 0))
        return -EINVAL;
    error = add_slowly(sel, __func__, (sel__call){task, data},
                       sel__time_after(sel__now(), interval), &timer);
    if (error == 0)
        error = sel__timers_repeat(&sel->timers, sel__timer_slot(timer.id), interval);
    if (error == 0 && ret_timer != NULL)
        *ret_timer = timer;
    return error;
}

static SEL__APART int cancel_slowly(sel_selector *sel, const char *call, sel_timer timer)
{
    int error = sel__enter(sel, call);

    if (error == 0 && !sel__timers_have(&sel->timers, timer.id))
        error = -ENOENT;
    if (error == 0)
        sel__timers_cancel(&sel->timers, sel__timer_slot(timer.id));
    return error;
}

int sel_cancel(sel_selector *sel, sel_timer timer)
{
    if (sel__usable(sel) == 0 && sel->observer == NULL &&
        sel__timers_have(&sel->timers, timer.id) &&
        sel__timers_cancel_quickly(&sel->timers, sel__timer_slot(timer.id)))
        return 0;
    return cancel_slowly(sel, __func__, timer);
}

static SEL__APART int reschedule_slowly(sel_selector *sel, const char *call, sel_timer timer,
                                        int64_t due)
{
    int error = sel__enter(sel, call);

    if (error == 0 && due == SEL__NO_TIME)
        error = -EINVAL;
    if (error == 0 && !sel__timers_have(&sel->timers, timer.id))
        error = -ENOENT;
    if (error < 0)
        return error;
    sel__timers_move(&sel->timers, sel__timer_slot(timer.id), due);
    sel__revive(sel);
    return 0;
}

int sel_reschedule(sel_selector *sel, sel_timer timer, double delay)
{
    int64_t due = sel__time_after(sel__now(), delay);

    if (is_plain(sel) && sel__timers_have(&sel->timers, timer.id) &&
        sel__timers_move_quickly(&sel->timers, sel__timer_slot(timer.id), due))
        return 0;
    return reschedule_slowly(sel, __func__, timer, due);
}
