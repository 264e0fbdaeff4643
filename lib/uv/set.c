/* SPDX-License-Identifier: MIT */
/*
 * What is in the loop's set in the kernel: what libuv puts there, and what we put there
 * first so that libuv never meets a refusal.
 */
#include "uv/backend.h"

static int arm_unsent(sel__uv_state *state)
{
    int fd = state->first_unsent;
    int error = 0;

    while (fd != SEL__NO_FD && error == 0) {
        sel__uv_watcher *watcher = state->watchers[fd];

        if (watcher->phase == SEL__UV_UNSENT)
            error = sel__uv_arm(watcher);
        fd = watcher->next_unsent;
    }
    return error;
}

int sel__uv_send(sel__uv_state *state)
{
    int error = arm_unsent(state);

    if (error == 0)
        error = sel__uv_run(state, UV_RUN_NOWAIT);
    if (error == 0)
        error = arm_unsent(state);
    if (error < 0)
        return error;
    while (state->first_unsent != SEL__NO_FD) {
        sel__uv_watcher *watcher = state->watchers[state->first_unsent];

        state->first_unsent = watcher->next_unsent;
        sel__uv_sent(watcher);
    }
    state->unsent = false;
    return 0;
}

/* Put a watched key into a new set for its loop. */
static int put(sel__uv_watcher *watcher, int set)
{
    int error = sel__uv_control(watcher->state, set, SEL__UV_ADD, watcher->fd,
                                watcher->entry->events);

    if (!sel__means_gone(error))
        return error;
    sel__gone(watcher->poll.data, watcher->fd); /* another thread has closed it */
    return 0;
}

/* libuv need not be told anything: it looks for the same numbers in the new set. */
int sel__uv_fill(sel__uv_state *state, int set)
{
    int error = 0;

    for (int fd = 0; fd < state->length && error == 0; fd++) {
        sel__uv_watcher *watcher = state->watchers[fd];

        if (watcher != NULL &&
            (watcher->phase == SEL__UV_WATCHED || watcher->phase == SEL__UV_UNSENT))
            error = put(watcher, set);
    }
    return error;
}

/*
 * When libuv follows a fork, it opens descriptors, and one may get the number of a
 * resting watcher. So these are stopped first. libuv stops a handle by taking its
 * number out of the set, which is still the parent's: until a new one is made, the
 * set's number therefore stands for a descriptor that is no set.
 */
static void stop_resting(sel__uv_state *state)
{
    sel__uv_hide_set(state);
    for (int fd = 0; fd < state->length; fd++)
        if (state->watchers[fd] != NULL)
            sel__uv_stop(state->watchers[fd]);
}

/* libuv will put everything that is started into the new set. */
static int restart(sel__uv_state *state)
{
    for (int fd = 0; fd < state->length; fd++)
        if (state->watchers[fd] != NULL && state->watchers[fd]->phase == SEL__UV_WATCHED)
            sel__uv_list_unsent(state->watchers[fd]);
    state->unsent = true;
    state->stale = false;
    return sel__uv_fill(state, uv_backend_fd(&state->loop.uv));
}

int sel__uv_follow_fork(sel__uv_state *state)
{
    int error;

    if (sel__loop_check(&state->loop) && state->loop.state == SEL__LOOP_OPEN) {
        stop_resting(state);
        sel__uv_close_rounds(state);
    }
    error = sel__loop_fork(&state->loop);
    if (error == 0)
        error = restart(state);
    return error < 0 ? error : sel__uv_prepare_rounds(state);
}
