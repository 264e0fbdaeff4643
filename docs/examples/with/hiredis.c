/* SPDX-License-Identifier: MIT */
/*
 * hiredis HOST PORT: send three commands to a Redis server at once and print the replies.
 */
#include "selkie_hiredis.h"

#include <stdio.h>

/* NULL: the connection was lost before the reply came. */
static void on_reply(redisAsyncContext *redis, void *data, void *command)
{
    const redisReply *reply = data;

    (void)redis;
    if (reply != NULL && reply->str != NULL)
        printf("%s: %s\n", (const char *)command, reply->str);
}

/* Called when the connection is made or lost, or can't be made. */
static void on_change(const redisAsyncContext *redis, int status)
{
    if (status != REDIS_OK) {
        fprintf(stderr, "hiredis: %s\n", redis->errstr);
        *(int *)redis->data = 1;
    }
}

static int ask(sel_selector *sel, const char *host, int port)
{
    redisAsyncContext *redis = redisAsyncConnect(host, port);
    int status = 0, error = redis == NULL ? -ENOMEM : redis->err ? -EIO : 0;

    if (error == 0)
        error = selkie_hiredis_attach(redis, sel);
    if (error < 0) {
        fprintf(stderr, "hiredis: %s\n",
                redis != NULL && redis->err ? redis->errstr : sel_strerror(error));
        if (redis != NULL)
            redisAsyncFree(redis);
        return 1;
    }
    redis->data = &status;
    redisAsyncSetConnectCallback(redis, on_change);
    redisAsyncSetDisconnectCallback(redis, on_change);
    redisAsyncCommand(redis, on_reply, "PING", "PING");
    redisAsyncCommand(redis, on_reply, "SET", "SET greeting %s", "hello");
    redisAsyncCommand(redis, on_reply, "GET", "GET greeting");
    redisAsyncDisconnect(redis); /* when all replies have come */
    sel_run(sel);
    return status;
}

int main(int argc, char **argv)
{
    sel_selector *sel;

    if (argc != 3) {
        fputs("usage: hiredis HOST PORT\n", stderr);
        return 2;
    }
    if (sel_open(SEL_BACKEND_DEFAULT, &sel) < 0)
        return 1;
    int status = ask(sel, argv[1], atoi(argv[2]));
    sel_close(sel);
    return status;
}
