/* SPDX-License-Identifier: MIT */
/*
 * libuv: one uv_poll_t for every descriptor.
 *
 * libuv tells the kernel of a started handle inside uv_run(), and aborts the
 * process when the kernel refuses. So a handle is started just before a wait,
 * after a look whether its descriptor is still the file that was registered,
 * and stopped whenever the answer is no.
 *
 * uv_run() is no timed wait either: it ends at a signal, and a timer counts
 * from the loop's own idea of now. Here it only sleeps; the caller knows the
 * deadline.
 */
#include "clock.h"
#include "uv_private.h"

#include <stdlib.h>

/*
 * libuv before 1.45 runs timers before it polls: an alarm that is due by then
 * would leave the poll without an end. Stopped, the loop only looks.
 */
static void on_alarm(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void close_uv(void *data, bool forked)
{
    sel__uv_state *state = data;

    if (forked)
        sel__uv_follow_fork(state);
    sel__uv_close_loops(state);
    free(state);
}

static int open_uv(sel_selector *sel, void **ret_state)
{
    sel__uv_state *state = calloc(1, sizeof *state);
    sel__uv_loop *loop;
    int error;

    if (state == NULL)
        return -ENOMEM;
    state->sel = sel;
    error = sel__uv_find_loop(state, &loop);
    if (error < 0) {
        close_uv(state, false);
        return error;
    }
    uv_timer_init(&loop->uv, &state->alarm);
    *ret_state = state;
    return 0;
}

static int make_room(sel__uv_state *state, int fd)
{
    int length = fd + 1 + fd / 8;
    sel__uv_watcher **watchers;

    if (fd < state->length)
        return 0;
    watchers = realloc(state->watchers, (size_t)length * sizeof *watchers);
    if (watchers == NULL)
        return -ENOMEM;
    while (state->length < length)
        watchers[state->length++] = NULL;
    state->watchers = watchers;
    return 0;
}

static int open_watcher(sel__uv_state *state, int fd)
{
    sel__uv_watcher *watcher;
    sel__uv_loop *home;
    int error = make_room(state, fd);

    if (error == 0)
        error = sel__uv_find_loop(state, &home);
    if (error != 0)
        return error;
    watcher = calloc(1, sizeof *watcher);
    if (watcher == NULL)
        return -ENOMEM;
    watcher->home = home;
    watcher->entry = sel__entry_at(state->sel, fd);
    watcher->fd = fd;
    error = sel__uv_open_watcher(watcher);
    if (error < 0) {
        free(watcher);
        return error;
    }
    state->watchers[fd] = watcher;
    home->watchers++;
    return 0;
}

/* A handle that is there already was tried by uv_poll_init() for another file. */
static int add(void *data, int fd, int events)
{
    sel__uv_state *state = data;

    (void)events;
    if (fd >= state->length || state->watchers[fd] == NULL)
        return open_watcher(state, fd);
    state->watchers[fd]->connected = false;
    if (sel__entry_at(state->sel, fd)->kind != SEL__OTHER)
        return 0;
    return sel__uv_try_add(state->watchers[fd]);
}

static int change(void *data, int fd, int events)
{
    sel__uv_state *state = data;
    sel__uv_watcher *watcher = state->watchers[fd];
    bool is_same = watcher->in_kernel ? sel__uv_take_out(watcher) : sel__is_same(state->sel, fd);
    int error = 0;

    sel__uv_stop(watcher);
    watcher->wanted = sel__uv_from_events(events);
    if (is_same && events != 0)
        error = sel__uv_start(watcher);
    if (error == -ENOMEM || error == -ENOSPC)
        return error;
    if (!is_same || error < 0)
        sel__gone(state->sel, fd);
    return 0;
}

static void remove_uv(void *data, int fd)
{
    sel__uv_state *state = data;
    sel__uv_watcher *watcher = state->watchers[fd];

    sel__uv_take_out(watcher);
    sel__uv_stop(watcher);
}

/*
 * An alarm that is still to go off earlier is left alone: it ends one wait too
 * soon, which costs less than setting it anew before every wait.
 */
SEL__RARE static void set_alarm(sel__uv_state *state, int64_t timeout)
{
    uv_loop_t *loop = &state->loops[0]->uv;
    int64_t now = sel__now();
    int64_t due = (now + timeout) / SEL__NS_PER_MS + 1;

    if (uv_is_active((uv_handle_t *)&state->alarm) && state->alarm_ms <= due)
        return;
    uv_update_time(loop);
    now = (int64_t)uv_now(loop); /* which may be past due, after a preemption */
    state->alarm_ms = due;
    uv_timer_start(&state->alarm, on_alarm, due > now ? (uint64_t)(due - now) : 0, 0);
}

/* Returns the timeout that is left: none when sending has shown something. */
SEL__RARE static int64_t renew_and_send(sel__uv_state *state, int64_t timeout)
{
    int error = state->stale ? sel__uv_renew(state) : 0;

    if (error < 0)
        return error;
    sel__uv_send(state);
    return sel__is_over(state->sel) ? 0 : timeout;
}

static int wait_uv(void *data, int64_t timeout)
{
    sel__uv_state *state = data;
    uv_loop_t *loop = &state->loops[0]->uv;

    if (state->stale || state->unsent)
        timeout = renew_and_send(state, timeout);
    if (timeout <= 0) {
        if (timeout == 0)
            uv_run(loop, UV_RUN_NOWAIT);
        return (int)timeout;
    }
    if (timeout != SEL__FOREVER)
        set_alarm(state, timeout);
    uv_run(loop, UV_RUN_ONCE);
    return 0;
}

static int rearm(void *data)
{
    return sel__uv_follow_fork(data);
}

static int get_fileno(void *data)
{
    sel__uv_state *state = data;

    return uv_backend_fd(&state->loops[0]->uv);
}

const sel__backend sel__uv_backend = {
    .name = "uv",
    .refuses_files = true,
    .open = open_uv,
    .close = close_uv,
    .add = add,
    .change = change,
    .remove = remove_uv,
    .wait = wait_uv,
    .rearm = rearm,
    .fileno = get_fileno,
};
