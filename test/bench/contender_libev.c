/* SPDX-License-Identifier: MIT */
/* libev by itself, one ev_io for each descriptor, on epoll. */
#include "contenders.h"

#include "bench.h"

#include <ev.h>
#include <stdlib.h>

struct state {
    struct ev_loop *loop;
    ev_io *watchers;
    int count;
    long called;
};

static void count_call(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    ++*(long *)watcher->data;
}

static void *open_libev(const int *fds, int count)
{
    struct state *state = calloc(1, sizeof *state);

    if (state == NULL)
        fail("out of memory");
    state->count = count;
    state->loop = ev_loop_new(EVBACKEND_EPOLL);
    state->watchers = calloc((size_t)count, sizeof *state->watchers);
    if (state->loop == NULL || state->watchers == NULL)
        fail("ev_loop_new failed");
    for (int i = 0; i < count; i++) {
        ev_io *watcher = &state->watchers[i];

        ev_init(watcher, count_call);
        ev_io_set(watcher, fds[i], EV_READ);
        watcher->data = &state->called;
        ev_io_start(state->loop, watcher);
    }
    return state;
}

static long run(void *data, int rounds, double timeout)
{
    struct state *state = data;

    (void)timeout;
    state->called = 0;
    for (int round = 0; round < rounds; round++)
        ev_run(state->loop, EVRUN_ONCE);
    return state->called;
}

static void close_libev(void *data)
{
    struct state *state = data;

    ev_loop_destroy(state->loop);
    free(state->watchers);
    free(state);
}

const event_loop libev_contender = {
    .name = "libev",
    .open = open_libev,
    .run = run,
    .close = close_libev,
};
