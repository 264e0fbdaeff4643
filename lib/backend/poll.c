/* SPDX-License-Identifier: MIT */
/*
 * poll(2).
 *
 * One array, without gaps, holds what the kernel is to look at; an entry's mark is its
 * index there. Every call passes the whole array, so nothing has to be kept in step.
 * The kernel knows numbers only, so before one is reported it is checked that it still
 * stands for the registered file.
 */
#include "backend/polling.h"
#include "base/grow.h"
#include "selector/selector.h"

#include <stdlib.h>

struct state {
    sel_selector *sel;
    struct pollfd *fds;
    unsigned length;
    int capacity;
    sel__polling polling;
};

static int open_poll(sel_selector *sel, void **ret_state)
{
    struct state *state = calloc(1, sizeof *state);
    int error;

    if (state == NULL)
        return -ENOMEM;
    error = sel__open_polling(&state->polling);
    if (error < 0) {
        free(state);
        return error;
    }
    state->sel = sel;
    *ret_state = state;
    return 0;
}

static void close_poll(void *data, bool forked)
{
    struct state *state = data;

    (void)forked;
    sel__close_polling(&state->polling);
    free(state->fds);
    free(state);
}

static int add(void *data, int fd, int events)
{
    struct state *state = data;
    int error = sel__admit(&state->polling, sel__entry_at(state->sel, fd), fd);

    if (error == 0)
        error = sel__grow(&state->fds, &state->capacity, (int)state->length + 1, sizeof *state->fds);
    if (error < 0)
        return error;
    sel__entry_at(state->sel, fd)->mark = state->length;
    state->fds[state->length++] = (struct pollfd){.fd = fd, .events = sel__to_poll(events)};
    return 0;
}

/* The kernel skips a negative descriptor, and so reports no hang-up for it either. */
static int change(void *data, int fd, int events)
{
    struct state *state = data;
    struct pollfd *polled = &state->fds[sel__entry_at(state->sel, fd)->mark];

    polled->fd = events != 0 ? fd : ~fd;
    polled->events = sel__to_poll(events);
    return 0;
}

static void remove_poll(void *data, int fd)
{
    struct state *state = data;
    uint32_t mark = sel__entry_at(state->sel, fd)->mark;
    struct pollfd last = state->fds[--state->length];

    state->fds[mark] = last;
    sel__entry_at(state->sel, last.fd >= 0 ? last.fd : ~last.fd)->mark = mark;
}

static int wait_poll(void *data, int64_t deadline)
{
    struct state *state = data;
    int count = sel__poll(state->fds, state->length, sel__left(deadline), &state->polling);

    if (count < 0)
        return count;
    sel__report_polled(state->sel, state->fds, state->length, count);
    return 0;
}

static int rearm(void *data)
{
    struct state *state = data;

    return sel__rearm_polling(&state->polling);
}

const sel__backend sel__poll_backend = {
    .name = "poll",
    .open = open_poll,
    .close = close_poll,
    .add = add,
    .change = change,
    .remove = remove_poll,
    .wait = wait_poll,
    .rearm = rearm,
};
