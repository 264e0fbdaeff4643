/* SPDX-License-Identifier: MIT */
/*
 * libuv by itself, one uv_poll_t for each descriptor on one loop.
 *
 * Twice: with a callback that counts, as a program uses it, and with one that
 * records what is ready and leaves it ready, as a selector on top of it would
 * at first try.  The second shows what uv_run() does then: it takes 1024 events
 * at a time and asks again up to 48 times while that many come.
 */
#include "contenders.h"

#include "bench.h"
#include "inbox.h"

#include <stdlib.h>
#include <uv.h>

struct poll {
    uv_poll_t uv;
    struct loop *loop;
    int fd;
    long recorded; /* the look that this descriptor was recorded in last */
};

struct pair {
    int fd;
    int events;
};

struct loop {
    uv_loop_t uv;
    inbox inbox;
    uv_async_t async;
    long looks;
    struct pair *pairs;
    int pairs_length;
};

static void check(int error)
{
    if (error < 0)
        fail("libuv: %s", uv_strerror(error));
}

static void on_async(uv_async_t *async)
{
    inbox_empty(async->data);
}

static void *open_libuv(int limit)
{
    struct loop *loop = allocate(1, sizeof *loop);

    check(uv_loop_init(&loop->uv));
    check(uv_async_init(&loop->uv, &loop->async, on_async));
    inbox_open(&loop->inbox);
    loop->async.data = &loop->inbox;
    loop->pairs = allocate((size_t)limit, sizeof *loop->pairs);
    return loop;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (uv_handle_get_type(handle) == UV_ASYNC)
        uv_close(handle, NULL);
    else if (!uv_is_closing(handle))
        uv_close(handle, free_handle);
}

static void close_libuv(void *data)
{
    struct loop *loop = data;

    uv_walk(&loop->uv, close_handle, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    check(uv_loop_close(&loop->uv));
    free(loop->pairs);
    free(loop);
}

static struct poll *start(struct loop *loop, int fd, int events, uv_poll_cb callback,
                          void *data)
{
    struct poll *poll = allocate(1, sizeof *poll);

    poll->uv.data = data;
    poll->loop = loop;
    poll->fd = fd;
    check(uv_poll_init(&loop->uv, &poll->uv, fd));
    check(uv_poll_start(&poll->uv, events, callback));
    return poll;
}

static void count_call(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    ++*(long *)poll->data;
}

static void count(void *loop, int fd, long *counter)
{
    start(loop, fd, UV_READABLE, count_call, counter);
}

static void record(uv_poll_t *handle, int status, int events)
{
    struct poll *poll = (struct poll *)handle;
    struct loop *loop = poll->loop;

    if (status < 0 || poll->recorded == loop->looks)
        return;
    poll->recorded = loop->looks;
    loop->pairs[loop->pairs_length++] = (struct pair){poll->fd, events};
}

static void record_only(void *loop, int fd, long *counter)
{
    start(loop, fd, UV_READABLE, record, counter);
}

static int look(void *data)
{
    struct loop *loop = data;

    loop->looks++;
    loop->pairs_length = 0;
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    return loop->pairs_length;
}

static int from_watch(int events)
{
    return ((events & WATCH_READ) ? UV_READABLE : 0) |
           ((events & WATCH_WRITE) ? UV_WRITABLE : 0);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    watcher *watch = poll->data;

    watch->ready(watch, status < 0 ? WATCH_READ | WATCH_WRITE :
                        ((events & UV_READABLE) ? WATCH_READ : 0) |
                        ((events & UV_WRITABLE) ? WATCH_WRITE : 0));
}

static void add(void *loop, watcher *watch, int events)
{
    watch->handle = start(loop, watch->fd, from_watch(events), on_ready, watch);
}

static void change(void *loop, watcher *watch, int events)
{
    (void)loop;
    check(uv_poll_start(watch->handle, from_watch(events), on_ready));
}

static void remove_libuv(void *loop, watcher *watch)
{
    (void)loop;
    uv_close(watch->handle, free_handle);
}

static void wait_libuv(void *data, double timeout)
{
    struct loop *loop = data;

    (void)timeout;
    uv_run(&loop->uv, UV_RUN_ONCE);
}

static void never(uv_timer_t *timer)
{
    (void)timer;
    fail("a timer ran that was stopped");
}

static void arm_and_cancel(void *data, int count)
{
    struct loop *loop = data;
    uv_timer_t *timers = allocate((size_t)count, sizeof *timers);

    for (int i = 0; i < count; i++) {
        check(uv_timer_init(&loop->uv, &timers[i]));
        check(uv_timer_start(&timers[i], never, (uint64_t)(timer_delay(i) * 1000), 0));
    }
    for (int i = 0; i < count; i++)
        uv_close((uv_handle_t *)&timers[i], NULL);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    free(timers);
}

static void post(void *data, long *counter)
{
    struct loop *loop = data;

    inbox_put(&loop->inbox, counter);
    check(uv_async_send(&loop->async));
}

const event_loop libuv_contender = {
    .name = "libuv",
    .open = open_libuv,
    .close = close_libuv,
    .count = count,
    .add = add,
    .change = change,
    .remove = remove_libuv,
    .wait = wait_libuv,
    .arm_and_cancel = arm_and_cancel,
    .post = post,
};

const event_loop libuv_recording_contender = {
    .name = "libuv, recording",
    .open = open_libuv,
    .close = close_libuv,
    .count = record_only,
    .look = look,
};
