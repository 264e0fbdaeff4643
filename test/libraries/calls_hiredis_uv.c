/* SPDX-License-Identifier: MIT */
#include "calls_hiredis.h"

#include <hiredis/adapters/libuv.h>

int drive(redisAsyncContext *redis, calls_begin *begin)
{
    uv_loop_t loop;

    if (uv_loop_init(&loop) < 0 || redisLibuvAttach(redis, &loop) != REDIS_OK)
        return -1;
    begin(redis);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}
