/* SPDX-License-Identifier: MIT */
/*
 * The reactor's loop and its tasks.
 */
#include <selkie/reactor.h>

#include "base/clock.h"
#include "selector/selector.h"

/* If sel_stop() came before the run, one pass runs, and does not wait. */
int sel_run(sel_selector *sel)
{
    int error = sel__usable(sel);

    if (error < 0)
        return error;
    if (sel__is_busy(sel))
        return -EBUSY;
    while (sel->stopping || sel__is_alive(sel)) {
        error = sel__wait(sel, sel->stopping ? 0 : SEL__FOREVER);
        if (error >= 0)
            error = sel__dispatch(sel);
        if (error < 0 || sel->stopping)
            break;
    }
    sel->stopping = false;
    return error < 0 ? error : 0;
}

int sel_is_alive(sel_selector *sel)
{
    int error = sel__enter(sel, __func__);

    return error < 0 ? error : sel__is_alive(sel);
}

void sel_stop(sel_selector *sel)
{
    if (sel != NULL)
        sel->stopping = true;
}

double sel_time(sel_selector *sel)
{
    (void)sel;
    return sel__to_seconds(sel__now());
}

int sel_call_soon(sel_selector *sel, sel_task *task, void *data)
{
    int error = sel__enter(sel, __func__);

    if (error < 0 || task == NULL)
        return error < 0 ? error : -EINVAL;
    error = sel__tasks_push(&sel->tasks, (sel__call){task, data});
    if (error == 0)
        sel__revive(sel);
    return error;
}

int sel_call_soon_threadsafe(sel_selector *sel, sel_task *task, void *data)
{
    int error = sel__usable(sel);

    if (error == 0 && task == NULL)
        error = -EINVAL;
    if (error < 0)
        return error;
    error = sel__tasks_post(&sel->tasks, (sel__call){task, data}, &sel->wakeup);
    if (error <= 0)
        return error;
    sel__wakeup_send(&sel->wakeup);
    sel__wakeup_end(&sel->wakeup);
    return 0;
}
