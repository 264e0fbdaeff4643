/* SPDX-License-Identifier: MIT */
#include "calls_hiredis.h"

#include <hiredis/adapters/libev.h>

int drive(redisAsyncContext *redis, calls_begin *begin)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);

    if (loop == NULL || redisLibevAttach(loop, redis) != REDIS_OK)
        return -1;
    begin(redis);
    ev_run(loop, 0);
    ev_loop_destroy(loop);
    return 0;
}
