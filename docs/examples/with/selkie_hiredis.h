/* SPDX-License-Identifier: MIT */
/*
 * hiredis's asynchronous contexts on a selector: a file to copy.
 *
 * hiredis says when it wants to write and when it no longer does, but never when it has
 * read enough, so a context is watched for reading as long as it lives. hiredis itself
 * frees a context whose connection is lost; connecting again makes a new one.
 *
 * The timeouts of hiredis 1.0 (redisAsyncSetTimeout()) have no effect here: use a timer of
 * your own that calls redisAsyncFree().
 */
#ifndef SELKIE_HIREDIS_H
#define SELKIE_HIREDIS_H

#include <selkie.h>

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

/* What hiredis passes to the functions below; it is freed with the context. */
typedef struct {
    sel_selector *sel;
    redisAsyncContext *redis;
} selkie_hiredis;

/* Reading may free the context; then the key is gone, and key->events is 0. */
static inline void selkie_hiredis_ready(sel_selector *sel, const sel_key *key, int mask)
{
    redisAsyncContext *redis = key->data;

    (void)sel;
    if (mask & SEL_EVENT_READ)
        redisAsyncHandleRead(redis);
    if (mask & SEL_EVENT_WRITE && key->events & SEL_EVENT_WRITE)
        redisAsyncHandleWrite(redis);
}

/* hiredis calls this with every command; repeating it costs nothing. */
static inline void selkie_hiredis_add_write(void *data)
{
    selkie_hiredis *self = data;

    sel_modify(self->sel, self->redis->c.fd, SEL_EVENT_READ | SEL_EVENT_WRITE,
               selkie_hiredis_ready, self->redis);
}

/* Everything has been written. */
static inline void selkie_hiredis_del_write(void *data)
{
    selkie_hiredis *self = data;

    sel_modify(self->sel, self->redis->c.fd, SEL_EVENT_READ, selkie_hiredis_ready,
               self->redis);
}

/* The context is about to be freed; its socket is still open. */
static inline void selkie_hiredis_cleanup(void *data)
{
    selkie_hiredis *self = data;

    sel_unregister(self->sel, self->redis->c.fd);
    free(self);
}

/*
 * Drive a context that redisAsyncConnect() has just made.  Call it before the first command
 * and before redisAsyncSetConnectCallback().
 *
 * Returns 0, or a negative errno, in which case the caller must still free the context.
 */
static inline int selkie_hiredis_attach(redisAsyncContext *redis, sel_selector *sel)
{
    selkie_hiredis *self = malloc(sizeof *self);

    if (self == NULL)
        return -ENOMEM;
    *self = (selkie_hiredis){sel, redis};
    redis->ev.data = self;
    redis->ev.addWrite = selkie_hiredis_add_write;
    redis->ev.delWrite = selkie_hiredis_del_write;
    redis->ev.cleanup = selkie_hiredis_cleanup;
    return sel_register(sel, redis->c.fd, SEL_EVENT_READ, selkie_hiredis_ready, redis);
}

#endif
