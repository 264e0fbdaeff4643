/* SPDX-License-Identifier: MIT */
/* poll(2) by hand: a dense array, and where each descriptor stands in it. */
#include "contenders.h"

#include "bench.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct loop {
    struct pollfd *fds;
    watcher **watches;
    int length;
    int *places; /* by descriptor */
};

static void *open_poll(int limit)
{
    struct loop *loop = allocate(1, sizeof *loop);

    loop->fds = allocate((size_t)limit, sizeof *loop->fds);
    loop->watches = allocate((size_t)limit, sizeof(watcher *));
    loop->places = allocate((size_t)limit, sizeof *loop->places);
    return loop;
}

static void close_poll(void *data)
{
    struct loop *loop = data;

    free(loop->fds);
    free(loop->watches);
    free(loop->places);
    free(loop);
}

static void change(void *data, watcher *watch, int events)
{
    struct loop *loop = data;

    loop->fds[loop->places[watch->fd]].events =
        (short)(((events & WATCH_READ) ? POLLIN : 0) |
                ((events & WATCH_WRITE) ? POLLOUT : 0));
}

static void add(void *data, watcher *watch, int events)
{
    struct loop *loop = data;

    loop->fds[loop->length].fd = watch->fd;
    loop->watches[loop->length] = watch;
    loop->places[watch->fd] = loop->length++;
    change(loop, watch, events);
}

static void remove_poll(void *data, watcher *watch)
{
    struct loop *loop = data;
    int place = loop->places[watch->fd];
    int last = --loop->length;

    loop->fds[place] = loop->fds[last];
    loop->watches[place] = loop->watches[last];
    loop->places[loop->fds[place].fd] = place;
}

static int look(void *data)
{
    struct loop *loop = data;

    return poll(loop->fds, (nfds_t)loop->length, 0);
}

/* Downwards: a callback that removes its own puts the last in its place. */
static void wait_poll(void *data, double timeout)
{
    struct loop *loop = data;
    int ready = poll(loop->fds, (nfds_t)loop->length, -1);

    (void)timeout;
    if (ready < 0)
        fail("poll: %s", strerror(errno));
    for (int i = loop->length - 1; i >= 0 && ready > 0; i--) {
        short events = loop->fds[i].revents;

        if (events == 0)
            continue;
        ready--;
        loop->watches[i]->ready(loop->watches[i],
                                ((events & ~POLLOUT) ? WATCH_READ : 0) |
                                ((events & ~POLLIN) ? WATCH_WRITE : 0));
    }
}

const event_loop poll_contender = {
    .name = "poll",
    .open = open_poll,
    .close = close_poll,
    .add = add,
    .change = change,
    .remove = remove_poll,
    .look = look,
    .wait = wait_poll,
};
