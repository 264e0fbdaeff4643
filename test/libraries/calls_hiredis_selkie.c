/* SPDX-License-Identifier: MIT */
#include "calls_hiredis.h"
#include "selkie_hiredis.h"

int drive(redisAsyncContext *redis, calls_begin *begin)
{
    sel_selector *sel;

    if (sel_open(SEL_BACKEND_DEFAULT, &sel) < 0 || selkie_hiredis_attach(redis, sel) < 0)
        return -1;
    begin(redis);
    sel_run(sel);
    return sel_close(sel);
}
