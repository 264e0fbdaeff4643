/* SPDX-License-Identifier: MIT */
/* What a selector has counted and its observer has measured. */
#include <selkie/debug.h>

#include "selector/selector.h"

#include <string.h>

int sel_get_stats(sel_selector *sel, sel_stats *ret_stats, size_t size)
{
    int error = sel__enter(sel, __func__);
    sel_stats stats;

    if (error == 0 && (ret_stats == NULL || size == 0))
        error = -EINVAL;
    if (error == 0)
        error = sel__observer_open(&sel->observer);
    if (error < 0)
        return error;
    stats = (sel_stats){
        .passes = sel->passes,
        .pairs = sel->pairs,
        .callbacks = sel->callbacks,
    };
    sel__observer_times(sel->observer, &stats);
    memset(ret_stats, 0, size);
    memcpy(ret_stats, &stats, size < sizeof stats ? size : sizeof stats);
    return 0;
}
