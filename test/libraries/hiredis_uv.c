/* SPDX-License-Identifier: MIT */
/*
 * hiredis_uv PORT: hiredis's own adapter for libuv, in the same circumstances.  It connects
 * again as soon as the server is gone, and says what it was told.  hiredis 0.14 is told
 * nothing: libuv reports the refused connection as an error and stops the handle, and the
 * adapter returns.  The loop has nothing left then.
 */
#include <hiredis/adapters/libuv.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    uv_loop_t loop;
    int port;
} program;

static void connect_again(program *self);

static void on_connect(const redisAsyncContext *redis, int status)
{
    (void)redis;
    puts(status == REDIS_OK ? "made" : "refused");
}

static void on_disconnect(const redisAsyncContext *redis, int status)
{
    (void)status;
    puts("lost");
    connect_again(redis->data);
}

static void connect_again(program *self)
{
    redisAsyncContext *redis = redisAsyncConnect("127.0.0.1", self->port);

    if (redis == NULL)
        exit(1);
    if (redis->err != 0) {
        puts("refused");
        redisAsyncFree(redis);
        return;
    }
    redis->data = self;
    redisLibuvAttach(redis, &self->loop);
    redisAsyncSetConnectCallback(redis, on_connect);
    redisAsyncSetDisconnectCallback(redis, on_disconnect);
}

int main(int argc, char **argv)
{
    program self = {.port = argc > 1 ? atoi(argv[1]) : 0};

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("hiredis %d\n", HIREDIS_MAJOR);
    uv_loop_init(&self.loop);
    connect_again(&self);
    uv_run(&self.loop, UV_RUN_DEFAULT);
    puts("nothing left to wait for");
    return 0;
}
