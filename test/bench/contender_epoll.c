/* SPDX-License-Identifier: MIT */
/*
 * epoll_wait() and nothing around it, with room for all that can be ready: the
 * floor that everything else stands on.
 */
#include "contenders.h"

#include "bench.h"
#include "inbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct counted {
    watcher watch;
    long *counter;
};

struct loop {
    int set;
    int capacity;
    struct epoll_event *events;
    struct counted *counted;
    int counted_length;
    inbox inbox;
    watcher posted; /* an eventfd */
};

static void control(const struct loop *loop, int operation, watcher *watch, int events)
{
    struct epoll_event event = {
        .events = ((events & WATCH_READ) ? EPOLLIN : 0U) |
                  ((events & WATCH_WRITE) ? EPOLLOUT : 0U),
        .data.ptr = watch,
    };

    if (epoll_ctl(loop->set, operation, watch->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

static void add(void *loop, watcher *watch, int events)
{
    control(loop, EPOLL_CTL_ADD, watch, events);
}

static void change(void *loop, watcher *watch, int events)
{
    control(loop, EPOLL_CTL_MOD, watch, events);
}

static void remove_epoll(void *loop, watcher *watch)
{
    control(loop, EPOLL_CTL_DEL, watch, 0);
}

static void on_posted(watcher *posted, int events)
{
    eventfd_t value;

    (void)events;
    if (eventfd_read(posted->fd, &value) == 0)
        inbox_empty(posted->handle);
}

static void post(void *data, long *awaited)
{
    struct loop *loop = data;

    if (inbox_put(&loop->inbox, awaited))
        eventfd_write(loop->posted.fd, 1);
}

static void *open_epoll(int limit)
{
    struct loop *loop = allocate(1, sizeof *loop);

    loop->capacity = limit;
    loop->events = allocate((size_t)limit, sizeof *loop->events);
    loop->counted = allocate((size_t)limit, sizeof *loop->counted);
    loop->set = epoll_create1(EPOLL_CLOEXEC);
    if (loop->set < 0)
        fail("epoll_create1: %s", strerror(errno));
    inbox_open(&loop->inbox);
    loop->posted = (watcher){.fd = eventfd(0, EFD_CLOEXEC), .ready = on_posted};
    loop->posted.handle = &loop->inbox;
    add(loop, &loop->posted, WATCH_READ);
    return loop;
}

static void close_epoll(void *data)
{
    struct loop *loop = data;

    close(loop->set);
    close(loop->posted.fd);
    free(loop->events);
    free(loop->counted);
    free(loop);
}

static void count_call(watcher *watch, int events)
{
    (void)events;
    ++*((struct counted *)watch)->counter;
}

static void count(void *data, int fd, long *counter)
{
    struct loop *loop = data;
    struct counted *counted = &loop->counted[loop->counted_length++];

    *counted = (struct counted){{.fd = fd, .ready = count_call}, counter};
    add(loop, &counted->watch, WATCH_READ);
}

static int look(void *data)
{
    struct loop *loop = data;

    return epoll_wait(loop->set, loop->events, loop->capacity, 0);
}

static void wait_epoll(void *data, double timeout)
{
    struct loop *loop = data;
    int ready = epoll_wait(loop->set, loop->events, loop->capacity, -1);

    (void)timeout;
    for (int i = 0; i < ready; i++) {
        const struct epoll_event *event = &loop->events[i];
        watcher *watch = event->data.ptr;

        watch->ready(watch, ((event->events & ~(unsigned)EPOLLOUT) ? WATCH_READ : 0) |
                            ((event->events & ~(unsigned)EPOLLIN) ? WATCH_WRITE : 0));
    }
}

const event_loop epoll_contender = {
    .name = "epoll",
    .open = open_epoll,
    .close = close_epoll,
    .count = count,
    .add = add,
    .change = change,
    .remove = remove_epoll,
    .look = look,
    .wait = wait_epoll,
    .post = post,
};
