/* SPDX-License-Identifier: MIT */
/* selkie, once for each backend. */
#include "contenders.h"

#include "bench.h"

#include <selkie.h>

#include <errno.h>
#include <stdlib.h>

struct state {
    sel_selector *sel;
    long called;
};

static void count_call(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    (void)mask;
    ++*(long *)key->data;
}

static void close_selkie(void *data)
{
    struct state *state = data;

    sel_close(state->sel);
    free(state);
}

/* select(2) can't hold a descriptor of 1024 up. */
static void *open_selkie(sel_backend backend, const int *fds, int count)
{
    struct state *state = calloc(1, sizeof *state);
    int error = state != NULL ? sel_open(backend, &state->sel) : -ENOMEM;

    for (int i = 0; i < count && error == 0; i++)
        error = sel_register(state->sel, fds[i], SEL_EVENT_READ, count_call,
                             &state->called);
    if (error == 0)
        return state;
    if (error != -ERANGE)
        fail("sel_register: %s", sel_strerror(error));
    close_selkie(state);
    return NULL;
}

static void *open_uv(const int *fds, int count)
{
    return open_selkie(SEL_BACKEND_UV, fds, count);
}

static void *open_epoll(const int *fds, int count)
{
    return open_selkie(SEL_BACKEND_EPOLL, fds, count);
}

static void *open_poll(const int *fds, int count)
{
    return open_selkie(SEL_BACKEND_POLL, fds, count);
}

static void *open_select(const int *fds, int count)
{
    return open_selkie(SEL_BACKEND_SELECT, fds, count);
}

static int look(void *data)
{
    struct state *state = data;
    const sel_ready *ready;

    return sel_select(state->sel, 0, &ready);
}

static long run(void *data, int rounds, double timeout)
{
    struct state *state = data;
    int ready = 0;

    state->called = 0;
    for (int round = 0; round < rounds && ready >= 0; round++) {
        ready = sel_select(state->sel, timeout, NULL);
        sel_dispatch(state->sel);
    }
    if (ready < 0)
        fail("sel_select: %s", sel_strerror(ready));
    return state->called;
}

const event_loop selkie_uv_contender = {
    .name = "selkie/uv",
    .open = open_uv,
    .look = look,
    .run = run,
    .close = close_selkie,
};

const event_loop selkie_epoll_contender = {
    .name = "selkie/epoll",
    .open = open_epoll,
    .look = look,
    .run = run,
    .close = close_selkie,
};

const event_loop selkie_poll_contender = {
    .name = "selkie/poll",
    .open = open_poll,
    .look = look,
    .run = run,
    .close = close_selkie,
};

const event_loop selkie_select_contender = {
    .name = "selkie/select",
    .open = open_select,
    .look = look,
    .run = run,
    .close = close_selkie,
};
