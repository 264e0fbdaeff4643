/* SPDX-License-Identifier: MIT */
/*
 * sd-event by itself, one I/O source for each descriptor.  It dispatches one
 * source a pass, so one wait here is as many passes as something is pending.
 */
#include "contenders.h"

#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

static void check(int error)
{
    if (error < 0)
        fail("sd-event: %s", strerror(-error));
}

static void *open_sd_event(int limit)
{
    sd_event *event;

    (void)limit;
    check(sd_event_new(&event));
    return event;
}

static void close_sd_event(void *event)
{
    sd_event_unref(event);
}

static int count_call(sd_event_source *source, int fd, uint32_t events, void *counter)
{
    (void)source;
    (void)fd;
    (void)events;
    ++*(long *)counter;
    return 0;
}

static void count(void *event, int fd, long *counter)
{
    check(sd_event_add_io(event, NULL, fd, EPOLLIN, count_call, counter));
}

static uint32_t from_watch(int events)
{
    return ((events & WATCH_READ) ? EPOLLIN : 0U) | ((events & WATCH_WRITE) ? EPOLLOUT : 0U);
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *data)
{
    watcher *watch = data;

    (void)source;
    (void)fd;
    watch->ready(watch, ((events & ~(unsigned)EPOLLOUT) ? WATCH_READ : 0) |
                        ((events & ~(unsigned)EPOLLIN) ? WATCH_WRITE : 0));
    return 0;
}

static void add(void *event, watcher *watch, int events)
{
    sd_event_source *source;

    check(sd_event_add_io(event, &source, watch->fd, from_watch(events), on_ready, watch));
    watch->handle = source;
}

static void change(void *event, watcher *watch, int events)
{
    (void)event;
    check(sd_event_source_set_io_events(watch->handle, from_watch(events)));
}

static void remove_sd_event(void *event, watcher *watch)
{
    (void)event;
    sd_event_source_disable_unref(watch->handle);
}

static void wait_sd_event(void *event, double timeout)
{
    (void)timeout;
    check(sd_event_run(event, UINT64_MAX));
}

const event_loop sd_event_contender = {
    .name = "sd-event",
    .open = open_sd_event,
    .close = close_sd_event,
    .count = count,
    .add = add,
    .change = change,
    .remove = remove_sd_event,
    .wait = wait_sd_event,
};
