/* SPDX-License-Identifier: MIT */
/*
 * epoll_wait() and nothing around it, with room for all that can be ready: the
 * floor that everything else stands on.
 */
#include "contenders.h"

#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct watched {
    void (*callback)(long *called);
    long *called;
};

struct state {
    int set;
    int count;
    struct epoll_event *events;
    struct watched *watched;
    long called;
};

static void count_call(long *called)
{
    ++*called;
}

static void watch(struct state *state, int fd, struct watched *watched)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watched};

    *watched = (struct watched){.callback = count_call, .called = &state->called};
    if (epoll_ctl(state->set, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

static void *open_epoll(const int *fds, int count)
{
    struct state *state = calloc(1, sizeof *state);

    if (state == NULL)
        fail("out of memory");
    state->count = count;
    state->events = calloc((size_t)count, sizeof *state->events);
    state->watched = calloc((size_t)count, sizeof *state->watched);
    state->set = epoll_create1(EPOLL_CLOEXEC);
    if (state->events == NULL || state->watched == NULL || state->set < 0)
        fail("epoll_create1: %s", strerror(errno));
    for (int i = 0; i < count; i++)
        watch(state, fds[i], &state->watched[i]);
    return state;
}

static int look(void *data)
{
    struct state *state = data;

    return epoll_wait(state->set, state->events, state->count, 0);
}

static long run(void *data, int rounds, double timeout)
{
    struct state *state = data;

    (void)timeout;
    state->called = 0;
    for (int round = 0; round < rounds; round++) {
        int ready = epoll_wait(state->set, state->events, state->count, -1);

        for (int i = 0; i < ready; i++) {
            const struct watched *watched = state->events[i].data.ptr;

            watched->callback(watched->called);
        }
    }
    return state->called;
}

static void close_epoll(void *data)
{
    struct state *state = data;

    close(state->set);
    free(state->events);
    free(state->watched);
    free(state);
}

const event_loop epoll_contender = {
    .name = "epoll_wait",
    .open = open_epoll,
    .look = look,
    .run = run,
    .close = close_epoll,
};
