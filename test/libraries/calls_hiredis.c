/* SPDX-License-Identifier: MIT */
/*
 * What calls.py counts the system calls of:
 *
 *     calls_hiredis... PORT COUNT
 *
 * COUNT times ECHO, each when the one before it has been answered.
 */
#include "calls_hiredis.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

static void ask(redisAsyncContext *redis);

static void on_reply(redisAsyncContext *redis, void *reply, void *unused)
{
    int *left = redis->data;

    (void)unused;
    if (reply != NULL && --*left > 0)
        ask(redis);
    else
        redisAsyncDisconnect(redis);
}

static void ask(redisAsyncContext *redis)
{
    redisAsyncCommand(redis, on_reply, NULL, "ECHO hello");
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    redisAsyncContext *redis = redisAsyncConnect("127.0.0.1", atoi(argv[1]));
    int left = atoi(argv[2]);
    if (redis == NULL || redis->err != 0)
        return 1;
    redis->data = &left;
    return drive(redis, ask) != 0 || left != 0;
}
