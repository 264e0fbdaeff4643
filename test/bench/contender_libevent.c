/* SPDX-License-Identifier: MIT */
/* libevent by itself, one persistent event for each descriptor, on epoll. */
#include "contenders.h"

#include "bench.h"

#include <event2/event.h>
#include <stdlib.h>

struct state {
    struct event_base *base;
    struct event **watchers;
    int count;
    long called;
};

static void count_call(evutil_socket_t fd, short events, void *data)
{
    (void)fd;
    (void)events;
    ++*(long *)data;
}

static void *open_libevent(const int *fds, int count)
{
    struct state *state = calloc(1, sizeof *state);

    if (state == NULL)
        fail("out of memory");
    state->count = count;
    state->base = event_base_new();
    state->watchers = calloc((size_t)count, sizeof *state->watchers);
    if (state->base == NULL || state->watchers == NULL)
        fail("event_base_new failed");
    for (int i = 0; i < count; i++) {
        struct event *watcher = event_new(state->base, fds[i], EV_READ | EV_PERSIST,
                                          count_call, &state->called);

        if (watcher == NULL || event_add(watcher, NULL) < 0)
            fail("event_add failed");
        state->watchers[i] = watcher;
    }
    return state;
}

static long run(void *data, int rounds, double timeout)
{
    struct state *state = data;

    (void)timeout;
    state->called = 0;
    for (int round = 0; round < rounds; round++)
        event_base_loop(state->base, EVLOOP_ONCE);
    return state->called;
}

static void close_libevent(void *data)
{
    struct state *state = data;

    for (int i = 0; i < state->count; i++)
        event_free(state->watchers[i]);
    event_base_free(state->base);
    free(state->watchers);
    free(state);
}

const event_loop libevent_contender = {
    .name = "libevent",
    .open = open_libevent,
    .run = run,
    .close = close_libevent,
};
