/* SPDX-License-Identifier: MIT */
/* select(2) by hand: two sets that are copied for every wait. */
#include "contenders.h"

#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

struct loop {
    fd_set readers;
    fd_set writers;
    watcher *watches[FD_SETSIZE];
    int limit; /* above the highest descriptor that was ever watched */
};

static void *open_select(int limit)
{
    return limit <= FD_SETSIZE ? allocate(1, sizeof(struct loop)) : NULL;
}

static void put(fd_set *set, int fd, int member)
{
    if (member)
        FD_SET(fd, set);
    else
        FD_CLR(fd, set);
}

static void change(void *data, watcher *watch, int events)
{
    struct loop *loop = data;

    put(&loop->readers, watch->fd, events & WATCH_READ);
    put(&loop->writers, watch->fd, events & WATCH_WRITE);
}

static void add(void *data, watcher *watch, int events)
{
    struct loop *loop = data;

    loop->watches[watch->fd] = watch;
    if (watch->fd >= loop->limit)
        loop->limit = watch->fd + 1;
    change(loop, watch, events);
}

static void remove_select(void *data, watcher *watch)
{
    change(data, watch, 0);
}

static int look(void *data)
{
    struct loop *loop = data;
    fd_set readable = loop->readers, writable = loop->writers;

    return select(loop->limit, &readable, &writable, NULL, &(struct timeval){0});
}

static void wait_select(void *data, double timeout)
{
    struct loop *loop = data;
    fd_set readable = loop->readers, writable = loop->writers;
    int limit = loop->limit;

    (void)timeout;
    if (select(limit, &readable, &writable, NULL, NULL) < 0)
        fail("select: %s", strerror(errno));
    for (int fd = 0; fd < limit; fd++) {
        int events = (FD_ISSET(fd, &readable) ? WATCH_READ : 0) |
                     (FD_ISSET(fd, &writable) ? WATCH_WRITE : 0);

        if (events != 0)
            loop->watches[fd]->ready(loop->watches[fd], events);
    }
}

const event_loop select_contender = {
    .name = "select",
    .open = open_select,
    .close = free,
    .add = add,
    .change = change,
    .remove = remove_select,
    .look = look,
    .wait = wait_select,
};
