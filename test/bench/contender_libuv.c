/* SPDX-License-Identifier: MIT */
/*
 * libuv by itself, one uv_poll_t for each descriptor on one loop.
 *
 * Twice: with a callback that counts, as a program uses it, and with one that
 * records what is ready and leaves it ready, as a selector on top of it would
 * at first try.  The second shows what uv_run() does then: it takes 1024 events
 * at a time and asks again up to 48 times while that many come.
 */
#include "contenders.h"

#include "bench.h"

#include <stdlib.h>
#include <uv.h>

struct watcher {
    uv_poll_t poll;
    int fd;
    long recorded; /* the look that this descriptor was recorded in last */
};

struct pair {
    int fd;
    int events;
};

struct state {
    uv_loop_t loop;
    struct watcher *watchers;
    int count;
    long called;
    long looks;
    struct pair *pairs;
    int pairs_length;
};

static void count_call(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    ++*(long *)poll->data;
}

static void record(uv_poll_t *poll, int status, int events)
{
    struct watcher *watcher = (struct watcher *)poll;
    struct state *state = poll->data;

    if (status < 0 || watcher->recorded == state->looks)
        return;
    watcher->recorded = state->looks;
    state->pairs[state->pairs_length++] = (struct pair){watcher->fd, events};
}

static void watch(struct state *state, struct watcher *watcher, uv_poll_cb callback)
{
    int error = uv_poll_init(&state->loop, &watcher->poll, watcher->fd);

    watcher->poll.data = callback == record ? (void *)state : &state->called;
    if (error == 0)
        error = uv_poll_start(&watcher->poll, UV_READABLE, callback);
    if (error < 0)
        fail("uv_poll_start: %s", uv_strerror(error));
}

static void *open_libuv(const int *fds, int count, uv_poll_cb callback)
{
    struct state *state = calloc(1, sizeof *state);

    if (state == NULL || uv_loop_init(&state->loop) < 0)
        fail("uv_loop_init failed");
    state->count = count;
    state->watchers = calloc((size_t)count, sizeof *state->watchers);
    state->pairs = calloc((size_t)count, sizeof *state->pairs);
    if (state->watchers == NULL || state->pairs == NULL)
        fail("out of memory");
    for (int i = 0; i < count; i++) {
        state->watchers[i].fd = fds[i];
        watch(state, &state->watchers[i], callback);
    }
    return state;
}

static void *open_counting(const int *fds, int count)
{
    return open_libuv(fds, count, count_call);
}

static void *open_recording(const int *fds, int count)
{
    return open_libuv(fds, count, record);
}

static int look(void *data)
{
    struct state *state = data;

    state->looks++;
    state->pairs_length = 0;
    uv_run(&state->loop, UV_RUN_NOWAIT);
    return state->pairs_length;
}

static long run(void *data, int rounds, double timeout)
{
    struct state *state = data;

    (void)timeout;
    state->called = 0;
    for (int round = 0; round < rounds; round++)
        uv_run(&state->loop, UV_RUN_ONCE);
    return state->called;
}

static void close_libuv(void *data)
{
    struct state *state = data;

    for (int i = 0; i < state->count; i++)
        uv_close((uv_handle_t *)&state->watchers[i].poll, NULL);
    uv_run(&state->loop, UV_RUN_DEFAULT);
    uv_loop_close(&state->loop);
    free(state->watchers);
    free(state->pairs);
    free(state);
}

const event_loop libuv_contender = {
    .name = "libuv",
    .open = open_counting,
    .run = run,
    .close = close_libuv,
};

const event_loop libuv_recording_contender = {
    .name = "libuv, recording",
    .open = open_recording,
    .look = look,
    .close = close_libuv,
};
