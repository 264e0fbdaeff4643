/* SPDX-License-Identifier: MIT */
/* A build without libuv: no signal handlers and no executor. */
#include "selector/selector.h"

static int refuse(const sel_selector *sel)
{
    int error = sel__usable(sel);

    return error < 0 ? error : -ENOTSUP;
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
