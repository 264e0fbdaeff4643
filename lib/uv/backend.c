/* SPDX-License-Identifier: MIT */
/*
 * libuv: one uv_poll_t for every descriptor.
 *
 * Guard 1. libuv would tell the kernel about a started handle inside uv_run(), and
 * can't handle a refusal there. So we ask the kernel first, and make every later change
 * ourselves. libuv tells it about each number only once, just before a wait, and after
 * a check that the number still stands for the registered file.
 *
 * uv_run() is not a timed wait either: it ends at a signal, and a timer counts from the
 * loop's own idea of now. Here it only sleeps; the caller knows the deadline.
 */
#include "uv/backend.h"

#include "base/clock.h"
#include "base/grow.h"

#include <stdlib.h>

/*
 * Guard 5. If the alarm goes off before the poll, libuv would then poll without a
 * deadline. Stopped, the loop only looks.
 */
static void on_alarm(uv_timer_t *timer)
{
    sel__uv_state *state = (sel__uv_state *)timer->loop;

    state->alarm_deadline = SEL__FOREVER;
    state->sel->undue = SEL__FOREVER;
    uv_stop(timer->loop);
}

static void free_watcher(uv_handle_t *handle)
{
    free(handle);
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (uv_handle_get_type(handle) == UV_POLL)
        uv_close(handle, free_watcher);
    else
        uv_close(handle, NULL);
}

static void close_uv(void *data, bool forked)
{
    sel__uv_state *state = data;

    if (forked)
        sel__uv_follow_fork(state);
    sel__uv_close_rounds(state);
    if (state->loop.state != SEL__LOOP_OPEN) {
        sel__loop_leave_behind(&state->loop);
        return;
    }
    sel__loop_close(&state->loop, close_handle);
    free(state->urgent.fds);
    free(state->watchers);
    free(state);
}

static int open_uv(sel_selector *sel, void **ret_state)
{
    sel__uv_state *state = calloc(1, sizeof *state);
    int error;

    if (state == NULL)
        return -ENOMEM;
    state->sel = sel;
    state->first_unsent = SEL__NO_FD;
    state->rounds.set = -1;
    state->alarm_deadline = SEL__FOREVER;
    error = sel__loop_open(&state->loop, sel);
    if (error < 0) {
        free(state);
        return error;
    }
    uv_timer_init(&state->loop.uv, &state->alarm);
    *ret_state = state;
    return 0;
}

static int open_watcher(sel__uv_state *state, int fd)
{
    sel__uv_watcher *watcher;
    int error = sel__grow(&state->watchers, &state->length, fd + 1, sizeof *state->watchers);

    if (error == 0)
        error = sel__uv_prepare_rounds(state);
    if (error < 0)
        return error;
    watcher = calloc(1, sizeof *watcher);
    if (watcher == NULL)
        return -ENOMEM;
    watcher->state = state;
    watcher->entry = sel__entry_at(state->sel, fd);
    watcher->fd = fd;
    error = sel__uv_open_watcher(watcher);
    if (error < 0) {
        free(watcher);
        return error;
    }
    state->watchers[fd] = watcher;
    state->handles++;
    return 0;
}

static int add(void *data, int fd, int events)
{
    sel__uv_state *state = data;
    int error = 0;

    (void)events; /* they are in the key */
    if (fd >= state->length || state->watchers[fd] == NULL)
        error = open_watcher(state, fd);
    if (error == 0)
        error = sel__uv_watch(state->watchers[fd]);
    return error;
}

/*
 * Two things only a check notices: if the watcher is stopped, the kernel would take any
 * new file under this number; and a ghost may have this number and its present file.
 */
static int change(void *data, int fd, int events)
{
    sel__uv_state *state = data;
    sel__uv_watcher *watcher = state->watchers[fd];
    bool is_stopped = watcher->phase == SEL__UV_STOPPED;
    int error;

    (void)events;
    if ((is_stopped || state->stale) && !sel__check(state->sel, fd))
        return 0;
    if (!is_stopped)
        return sel__uv_arm(watcher);
    error = sel__uv_watch(watcher);
    return sel__means_gone(error) && !sel__check(state->sel, fd) ? 0 : error;
}

static void remove_uv(void *data, int fd)
{
    sel__uv_state *state = data;

    sel__uv_forget(state->watchers[fd]);
}

/*
 * An alarm that goes off earlier is left alone: it ends one wait too soon, which costs
 * less than setting it again before every wait.
 */
static inline bool has_alarm(const sel__uv_state *state, int64_t deadline)
{
    return state->alarm_deadline <= deadline;
}

/*
 * For a deadline that is far off, the alarm goes off twice. Until the first time, the
 * dispatch knows without reading the clock that nothing is due: libuv has read one that
 * lags by at most one tick, 10 ms.
 */
SEL__RARE static void set_alarm(sel__uv_state *state, int64_t deadline)
{
    enum { FAR = 1000, EARLY = 20 }; /* ms */
    uv_loop_t *loop = &state->loop.uv;
    int64_t left;

    uv_update_time(loop);
    left = deadline / SEL__NS_PER_MS + 1 - (int64_t)uv_now(loop);
    if (left > FAR) {
        left -= EARLY;
        state->sel->undue = deadline;
    }
    /* it may have passed meanwhile, after a preemption */
    uv_timer_start(&state->alarm, on_alarm, left > 0 ? (uint64_t)left : 0, 0);
    state->alarm_deadline = deadline;
}

static int wait_uv(void *data, int64_t deadline);

SEL__RARE static int renew_and_send(sel__uv_state *state, int64_t deadline)
{
    int error = state->stale ? sel__uv_renew(state) : 0;

    if (error == 0)
        error = sel__uv_send(state);
    if (error < 0)
        return error;
    return wait_uv(state, sel__is_over(state->sel) ? 0 : deadline);
}

static int wait_uv(void *data, int64_t deadline)
{
    sel__uv_state *state = data;

    if (state->stale || state->unsent)
        return renew_and_send(state, deadline);
    if (deadline <= 0)
        return sel__uv_run(state, UV_RUN_NOWAIT);
    if (deadline != SEL__FOREVER && !has_alarm(state, deadline))
        set_alarm(state, deadline);
    return sel__uv_run(state, UV_RUN_ONCE);
}

static int rearm(void *data)
{
    return sel__uv_follow_fork(data);
}

static int get_fileno(void *data)
{
    sel__uv_state *state = data;

    return uv_backend_fd(&state->loop.uv);
}

const sel__backend sel__uv_backend = {
    .name = "uv",
    .open = open_uv,
    .close = close_uv,
    .add = add,
    .change = change,
    .remove = remove_uv,
    .wait = wait_uv,
    .rearm = rearm,
    .fileno = get_fileno,
    .knows = HAS_EPOLL ? NULL : sel__uv_knows,
};
