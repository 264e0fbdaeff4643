/* SPDX-License-Identifier: MIT */
/* libevent by itself, one persistent event for each descriptor, on epoll. */
#include "contenders.h"

#include "bench.h"

#include <event2/event.h>
#include <stdlib.h>

static void *open_libevent(int limit)
{
    struct event_base *base = event_base_new();

    (void)limit;
    if (base == NULL)
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

static void never(evutil_socket_t fd, short events, void *data)
{
    (void)fd;
    (void)events;
    (void)data;
    fail("a timer ran that was deleted");
}

static void arm_and_cancel(void *base, int count)
{
    struct event **timers = allocate((size_t)count, sizeof(struct event *));

    for (int i = 0; i < count; i++) {
        double delay = timer_delay(i);
        struct timeval time = {.tv_sec = (time_t)delay,
                               .tv_usec = (long)((delay - (double)(long)delay) * 1e6)};

        timers[i] = evtimer_new(base, never, NULL);
        if (timers[i] == NULL || evtimer_add(timers[i], &time) < 0)
            fail("evtimer_add failed");
    }
    for (int i = 0; i < count; i++)
        event_free(timers[i]);
    free(timers);
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
    .arm_and_cancel = arm_and_cancel,
};
