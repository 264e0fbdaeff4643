/* SPDX-License-Identifier: MIT */
/*
 * One request of hiredis's after the other, in the loop that a calls_hiredis_*.c gives it.
 */
#ifndef CALLS_HIREDIS_H
#define CALLS_HIREDIS_H

#include <hiredis/async.h>

typedef void calls_begin(redisAsyncContext *redis);

/*
 * Attach the context to a loop, begin, and run the loop until nothing is left.  Returns 0, or
 * an error.
 */
int drive(redisAsyncContext *redis, calls_begin *begin);

#endif
