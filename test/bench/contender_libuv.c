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

#include <signal.h>
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
    if (inbox_empty(async->data))
        uv_stop(async->loop);
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
    uv_handle_type type = uv_handle_get_type(handle);

    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, type == UV_POLL || type == UV_SIGNAL ? free_handle : NULL);
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

static void run(void *data)
{
    struct loop *loop = data;

    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

static void stop(void *data)
{
    struct loop *loop = data;

    uv_stop(&loop->uv);
}

static void count_idle(uv_idle_t *idle)
{
    if (was_last(idle->data))
        uv_stop(idle->loop);
    uv_idle_stop(idle);
}

static void count_and_start(uv_idle_t *idle)
{
    uv_idle_stop(idle);
    if (was_last(idle->data))
        uv_stop(idle->loop);
    else
        uv_idle_start(idle, count_and_start);
}

/* An idle handle is called in the next pass, which then does not wait. */
static void start_idle(struct loop *loop, uv_idle_t *idle, uv_idle_cb callback, long *awaited)
{
    if (idle->loop == NULL)
        check(uv_idle_init(&loop->uv, idle));
    idle->data = awaited;
    check(uv_idle_start(idle, callback));
}

static void soon(void *loop, void *idle, long *awaited)
{
    start_idle(loop, idle, count_idle, awaited);
}

static void each_pass(void *loop, void *idle, long *awaited)
{
    start_idle(loop, idle, count_and_start, awaited);
}

static void count_timer(uv_timer_t *timer)
{
    if (was_last(timer->data))
        uv_stop(timer->loop);
}

static uint64_t from_seconds(double delay)
{
    return (uint64_t)(delay * 1000);
}

static void arm(void *data, void *memory, double delay, long *awaited)
{
    struct loop *loop = data;
    uv_timer_t *timer = memory;

    if (timer->loop == NULL)
        check(uv_timer_init(&loop->uv, timer));
    timer->data = awaited;
    check(uv_timer_start(timer, count_timer, from_seconds(delay), 0));
}

static void cancel(void *loop, void *timer)
{
    (void)loop;
    check(uv_timer_stop(timer));
}

static void move(void *loop, void *timer, double delay)
{
    (void)loop;
    check(uv_timer_start(timer, count_timer, from_seconds(delay), 0));
}

static void post(void *data, long *awaited)
{
    struct loop *loop = data;

    inbox_put(&loop->inbox, awaited);
    check(uv_async_send(&loop->async));
}

static void count_signal(uv_signal_t *signal, int number)
{
    (void)number;
    if (was_last(signal->data))
        uv_stop(signal->loop);
}

static void do_nothing(uv_work_t *unused)
{
    (void)unused;
}

static void count_work(uv_work_t *work, int status)
{
    check(status);
    if (was_last(work->data))
        uv_stop(work->loop);
    free(work);
}

static void add_services(void *data, long *awaited)
{
    struct loop *loop = data;
    uv_signal_t *signal = allocate(1, sizeof *signal);
    uv_work_t *work = allocate(1, sizeof *work);

    signal->data = work->data = awaited;
    check(uv_signal_init(&loop->uv, signal));
    check(uv_signal_start(signal, count_signal, SIGUSR1));
    check(uv_queue_work(&loop->uv, work, do_nothing, count_work));
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
    .run = run,
    .stop = stop,
    .soon = soon,
    .each_pass = each_pass,
    .call_size = sizeof(uv_idle_t),
    .timer_size = sizeof(uv_timer_t),
    .arm = arm,
    .cancel = cancel,
    .move = move,
    .post = post,
    .add_services = add_services,
};

const event_loop libuv_recording_contender = {
    .name = "libuv, recording",
    .open = open_libuv,
    .close = close_libuv,
    .count = record_only,
    .look = look,
};
