/* SPDX-License-Identifier: MIT */
/* A build without libuv: no timers, signal handlers and executor. */
#include "selector/selector.h"

static int refuse(const sel_selector *sel)
{
    int error = sel__usable(sel);

    return error < 0 ? error : -ENOTSUP;
}

int sel_call_later(sel_selector *sel, double delay, sel_task *task, void *data, sel_timer *ret_timer)
{
    (void)ret_timer;
    (void)data;
    return task == NULL || isnan(delay) ? -EINVAL : refuse(sel);
}

int sel_call_at(sel_selector *sel, double when, sel_task *task, void *data, sel_timer *ret_timer)
{
    (void)ret_timer;
    (void)data;
    return task == NULL || isnan(when) ? -EINVAL : refuse(sel);
}

int sel_call_every(sel_selector *sel, double interval, sel_task *task, void *data,
                   sel_timer *ret_timer)
{
    (void)ret_timer;
    (void)data;
    return task == NULL || !(interval > 0) ? -EINVAL : refuse(sel);
}

int sel_cancel(sel_selector *sel, sel_timer timer)
{
    int error = sel__usable(sel);

    (void)timer;
    return error < 0 ? error : -ENOENT;
}

int sel_add_signal_handler(sel_selector *sel, int signum, sel_task *task, void *data)
{
    (void)data;
    return task == NULL || signum < 1 ? -EINVAL : refuse(sel);
}

int sel_remove_signal_handler(sel_selector *sel, int signum)
{
    int error = sel__usable(sel);

    (void)signum;
    return error < 0 ? error : -ENOENT;
}

int sel_run_in_executor(sel_selector *sel, void (*work)(void *data), sel_done *done, void *data)
{
    (void)done;
    (void)data;
    return work == NULL ? -EINVAL : refuse(sel);
}
