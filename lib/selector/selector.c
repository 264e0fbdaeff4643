/* SPDX-License-Identifier: MIT */
#include "selector/selector.h"

int sel_wakeup(sel_selector *sel)
{
    int error = sel__usable(sel);

    if (error < 0)
        return error;
    sel__wakeup_begin(&sel->wakeup);
    sel__wakeup_request(&sel->wakeup);
    sel__wakeup_end(&sel->wakeup);
    return 0;
}

const char *sel_backend_name(const sel_selector *sel)
{
    return sel != NULL ? sel->backend->name : NULL;
}
