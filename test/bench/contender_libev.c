/* SPDX-License-Identifier: MIT */
/* libev by itself, one ev_io for each descriptor, on epoll. */
#include "contenders.h"

#include "bench.h"
#include "inbox.h"

#include <ev.h>
#include <stdlib.h>

static void on_async(struct ev_loop *loop, ev_async *async, int events)
{
    (void)events;
    if (inbox_empty(async->data))
        ev_break(loop, EVBREAK_ALL);
}

static struct {
    inbox inbox;
    ev_async async;
} posts;

static void *open_libev(int limit)
{
    struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL);

    (void)limit;
    if (loop == NULL)
        fail("ev_loop_new failed");
    inbox_open(&posts.inbox);
    ev_init(&posts.async, on_async);
    posts.async.data = &posts.inbox;
    ev_async_start(loop, &posts.async);
    return loop;
}

static void close_libev(void *loop)
{
    ev_loop_destroy(loop);
}

static void count_call(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    (void)events;
    ++*(long *)io->data;
}

static ev_io *start(void *loop, int fd, int events,
                    void (*callback)(struct ev_loop *loop, ev_io *io, int events), void *data)
{
    ev_io *io = allocate(1, sizeof *io);

    ev_init(io, callback);
    ev_io_set(io, fd, events);
    io->data = data;
    ev_io_start(loop, io);
    return io;
}

/* The process ends with the loop: its watchers may go with it. */
static void count(void *loop, int fd, long *counter)
{
    start(loop, fd, EV_READ, count_call, counter);
}

static void on_ready(struct ev_loop *loop, ev_io *io, int events)
{
    watcher *watch = io->data;

    (void)loop;
    watch->ready(watch, ((events & EV_READ) ? WATCH_READ : 0) |
                        ((events & EV_WRITE) ? WATCH_WRITE : 0));
}

static int from_watch(int events)
{
    return ((events & WATCH_READ) ? EV_READ : 0) | ((events & WATCH_WRITE) ? EV_WRITE : 0);
}

static void add(void *loop, watcher *watch, int events)
{
    watch->handle = start(loop, watch->fd, from_watch(events), on_ready, watch);
}

static void change(void *loop, watcher *watch, int events)
{
    ev_io *io = watch->handle;

    ev_io_stop(loop, io);
    ev_io_modify(io, from_watch(events));
    ev_io_start(loop, io);
}

static void remove_libev(void *loop, watcher *watch)
{
    ev_io_stop(loop, watch->handle);
    free(watch->handle);
}

static void wait_libev(void *loop, double timeout)
{
    (void)timeout;
    ev_run(loop, EVRUN_ONCE);
}

static void run(void *loop)
{
    ev_run(loop, 0);
}

static void stop(void *loop)
{
    ev_break(loop, EVBREAK_ALL);
}

static void count_fed(struct ev_loop *loop, ev_watcher *fed, int events)
{
    (void)events;
    if (was_last(fed->data))
        ev_break(loop, EVBREAK_ALL);
}

/* As libev's manual says: a watcher that is fed an event. */
static void soon(void *loop, void *call, long *awaited)
{
    ev_watcher *fed = call;

    ev_init(fed, count_fed);
    fed->data = awaited;
    ev_feed_event(loop, fed, EV_CUSTOM);
}

static void count_and_start(struct ev_loop *loop, ev_idle *idle, int events)
{
    (void)events;
    ev_idle_stop(loop, idle);
    if (was_last(idle->data))
        ev_break(loop, EVBREAK_ALL);
    else
        ev_idle_start(loop, idle);
}

/* What a callback feeds is called in the same pass still; an idle watcher in the next. */
static void each_pass(void *loop, void *call, long *awaited)
{
    ev_idle *idle = call;

    ev_idle_init(idle, count_and_start);
    idle->data = awaited;
    ev_idle_start(loop, idle);
}

static void count_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    if (was_last(timer->data))
        ev_break(loop, EVBREAK_ALL);
}

static void arm(void *loop, void *memory, double delay, long *awaited)
{
    ev_timer *timer = memory;

    ev_timer_init(timer, count_timer, delay, 0);
    timer->data = awaited;
    ev_timer_start(loop, timer);
}

static void cancel(void *loop, void *timer)
{
    ev_timer_stop(loop, timer);
}

static void move(void *loop, void *memory, double delay)
{
    ev_timer *timer = memory;

    ev_timer_stop(loop, timer);
    ev_timer_set(timer, delay, 0);
    ev_timer_start(loop, timer);
}

static void post(void *loop, long *awaited)
{
    inbox_put(&posts.inbox, awaited);
    ev_async_send(loop, &posts.async);
}

const event_loop libev_contender = {
    .name = "libev",
    .open = open_libev,
    .close = close_libev,
    .count = count,
    .add = add,
    .change = change,
    .remove = remove_libev,
    .wait = wait_libev,
    .run = run,
    .stop = stop,
    .soon = soon,
    .each_pass = each_pass,
    .call_size = sizeof(union ev_any_watcher),
    .timer_size = sizeof(ev_timer),
    .arm = arm,
    .cancel = cancel,
    .move = move,
    .post = post,
};
