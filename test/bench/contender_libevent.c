/* SPDX-License-Identifier: MIT */
/* libevent by itself, one persistent event for each descriptor, on epoll. */
#include "contenders.h"

#include "bench.h"
#include "inbox.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <stdlib.h>

static struct {
    inbox inbox;
    struct event *event;
} posts;

static struct event_base *running; /* callbacks are not told */

static void run(void *base)
{
    running = base;
    event_base_dispatch(base);
}

static void stop(void *base)
{
    event_base_loopbreak(base);
}

static void on_post(evutil_socket_t fd, short events, void *unused)
{
    (void)fd;
    (void)events;
    (void)unused;
    if (inbox_empty(&posts.inbox))
        event_base_loopbreak(running);
}

static void *open_libevent(int limit)
{
    struct event_base *base = event_base_new();

    (void)limit;
    inbox_open(&posts.inbox);
    if (base != NULL)
        posts.event = event_new(base, -1, 0, on_post, NULL);
    if (posts.event == NULL)
        fail("event_base_new failed");
    return base;
}

static void close_libevent(void *base)
{
    event_base_free(base);
}

static void count_call(evutil_socket_t fd, short events, void *counter)
{
    (void)fd;
    (void)events;
    ++*(long *)counter;
}

static struct event *start(void *base, int fd, int events, event_callback_fn callback,
                           void *data)
{
    struct event *event = event_new(base, fd, (short)(events | EV_PERSIST), callback, data);

    if (event == NULL || event_add(event, NULL) < 0)
        fail("event_add failed");
    return event;
}

/* The process ends with the base: its events may go with it. */
static void count(void *base, int fd, long *counter)
{
    start(base, fd, EV_READ, count_call, counter);
}

static void on_ready(evutil_socket_t fd, short events, void *data)
{
    watcher *watch = data;

    (void)fd;
    watch->ready(watch, ((events & EV_READ) ? WATCH_READ : 0) |
                        ((events & EV_WRITE) ? WATCH_WRITE : 0));
}

static int from_watch(int events)
{
    return ((events & WATCH_READ) ? EV_READ : 0) | ((events & WATCH_WRITE) ? EV_WRITE : 0);
}

static void add(void *base, watcher *watch, int events)
{
    watch->handle = start(base, watch->fd, from_watch(events), on_ready, watch);
}

static void change(void *base, watcher *watch, int events)
{
    struct event *event = watch->handle;

    if (event_del(event) < 0 ||
        event_assign(event, base, watch->fd, (short)(from_watch(events) | EV_PERSIST),
                     on_ready, watch) < 0 ||
        event_add(event, NULL) < 0)
        fail("event_add failed");
}

static void remove_libevent(void *base, watcher *watch)
{
    (void)base;
    event_free(watch->handle);
}

static void wait_libevent(void *base, double timeout)
{
    (void)timeout;
    event_base_loop(base, EVLOOP_ONCE);
}

static void count_event(evutil_socket_t fd, short events, void *awaited)
{
    (void)fd;
    (void)events;
    if (was_last(awaited))
        event_base_loopbreak(running);
}

static void soon(void *base, void *call, long *awaited)
{
    struct event *event = call;

    if (!event_initialized(event) && event_assign(event, base, -1, 0, count_event, awaited) < 0)
        fail("event_assign failed");
    event_active(event, EV_TIMEOUT, 0);
}

struct link {
    struct event timer;
    long *awaited;
};

/* What a callback activates is called in the same pass still; a timer in the next. */
static void add_link(struct link *link)
{
    if (evtimer_add(&link->timer, &(struct timeval){0}) < 0)
        fail("evtimer_add failed");
}

static void count_and_add(evutil_socket_t fd, short events, void *data)
{
    struct link *link = data;

    (void)fd;
    (void)events;
    if (was_last(link->awaited))
        event_base_loopbreak(running);
    else
        add_link(link);
}

static void each_pass(void *base, void *call, long *awaited)
{
    struct link *link = call;

    if (evtimer_assign(&link->timer, base, count_and_add, link) < 0)
        fail("evtimer_assign failed");
    link->awaited = awaited;
    add_link(link);
}

static void add_timer(struct event *timer, double delay)
{
    struct timeval time = {.tv_sec = (time_t)delay,
                           .tv_usec = (long)((delay - (double)(long)delay) * 1e6)};

    if (evtimer_add(timer, &time) < 0)
        fail("evtimer_add failed");
}

static void arm(void *base, void *memory, double delay, long *awaited)
{
    struct event *timer = memory;

    if (evtimer_assign(timer, base, count_event, awaited) < 0)
        fail("evtimer_assign failed");
    add_timer(timer, delay);
}

static void cancel(void *base, void *timer)
{
    (void)base;
    evtimer_del(timer);
}

static void move(void *base, void *timer, double delay)
{
    (void)base;
    add_timer(timer, delay);
}

static void use_threads(void)
{
    if (evthread_use_pthreads() < 0)
        fail("evthread_use_pthreads failed");
}

static void post(void *base, long *awaited)
{
    (void)base;
    inbox_put(&posts.inbox, awaited);
    event_active(posts.event, EV_TIMEOUT, 0);
}

const event_loop libevent_contender = {
    .name = "libevent",
    .open = open_libevent,
    .close = close_libevent,
    .count = count,
    .add = add,
    .change = change,
    .remove = remove_libevent,
    .wait = wait_libevent,
    .run = run,
    .stop = stop,
    .soon = soon,
    .each_pass = each_pass,
    .call_size = sizeof(struct link),
    .timer_size = sizeof(struct event),
    .arm = arm,
    .cancel = cancel,
    .move = move,
    .post = post,
    .use_threads = use_threads,
};
