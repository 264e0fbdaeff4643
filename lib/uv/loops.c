/* SPDX-License-Identifier: MIT */
#include "uv/backend.h"

#include "uv/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

static void free_portal(uv_handle_t *handle)
{
    free(handle);
}

static void on_portal(uv_poll_t *portal, int status, int events)
{
    sel__uv_loop *loop = portal->data;

    (void)status;
    (void)events;
    uv_run(&loop->uv, UV_RUN_NOWAIT);
}

/* The loop that a loop's portal is on; not for the first. */
static sel__uv_loop *above(const sel__uv_state *state, int index)
{
    return state->loops[(index - 1) / SEL__UV_PORTALS];
}

/*
 * What can't be taken out of a set is left there by a new one, under the old number.
 * So a set enters the one above it, or that of sel_fileno(), and leaves it.
 */
static int enter_above(sel__uv_state *state, int index)
{
    int fd = uv_backend_fd(&state->loops[index]->uv);

    if (index == 0)
        return sel__enter_outer(state->sel, fd);
    return sel__uv_control(uv_backend_fd(&above(state, index)->uv), EPOLL_CTL_ADD, fd,
                           SEL_EVENT_READ);
}

static void leave_above(sel__uv_state *state, int index)
{
    int fd = uv_backend_fd(&state->loops[index]->uv);

    if (index == 0)
        sel__leave_outer(state->sel, fd);
    else
        sel__uv_control(uv_backend_fd(&above(state, index)->uv), EPOLL_CTL_DEL, fd, 0);
}

static void close_portal(sel__uv_loop *loop)
{
    if (loop->portal == NULL)
        return;
    uv_close((uv_handle_t *)loop->portal, free_portal);
    loop->portal = NULL;
}

/* A resting watcher may be what had the loop's number before: libuv takes one. */
static int open_portal(sel__uv_state *state, int index)
{
    sel__uv_loop *loop = state->loops[index];
    sel__uv_loop *upper = above(state, index);
    int fd = uv_backend_fd(&loop->uv);
    uv_poll_t *portal = malloc(sizeof *portal);
    int error;

    if (portal == NULL)
        return -ENOMEM;
    if (fd < state->length && state->watchers[fd] != NULL)
        sel__uv_stop(state->watchers[fd]);
    error = uv_poll_init(&upper->uv, portal, fd);
    if (error < 0) {
        free(portal);
        return error;
    }
    portal->data = loop;
    loop->portal = portal;
    uv_poll_start(portal, UV_READABLE, on_portal);
    upper->unsent = state->unsent = true;
    error = enter_above(state, index);
    if (error < 0)
        close_portal(loop);
    return error;
}

static int open_loop(sel__uv_state *state)
{
    int index = state->loops_length;
    sel__uv_loop **loops = realloc(state->loops, ((size_t)index + 1) * sizeof *loops);
    sel__uv_loop *loop;
    int error;

    if (loops == NULL)
        return -ENOMEM;
    state->loops = loops;
    loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return -ENOMEM;
    error = sel__init_loop(state->sel, &loop->uv);
    if (error < 0) {
        free(loop);
        return error;
    }
    loop->state = state;
    loops[index] = loop;
    if (index > 0 && (error = open_portal(state, index)) < 0) {
        sel__disown_loop(&loop->uv);
        uv_loop_close(&loop->uv);
        free(loop);
        return error;
    }
    state->loops_length++;
    return 0;
}

/*
 * -ELOOP, or -EINVAL when a file would be in too many sets: the last loop then holds
 * more than a thousand. That is slower when so many are ready at a time, and no more.
 */
int sel__uv_find_loop(sel__uv_state *state, sel__uv_loop **ret_loop)
{
    int last = state->loops_length - 1;
    bool is_full = last < 0 || (state->loops[last]->watchers >= SEL__UV_WATCHERS &&
                                !state->loops[last]->is_last);
    int error = is_full ? open_loop(state) : 0;

    if (last >= 0 && (error == -ELOOP || error == -EINVAL)) {
        state->loops[last]->is_last = true;
        error = 0;
    }
    if (error == 0)
        *ret_loop = state->loops[state->loops_length - 1];
    return error;
}

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

    if (error < 0)
        return error;
    for (int i = state->loops_length - 1; i >= 0; i--) {
        if (state->loops[i]->unsent)
            uv_run(&state->loops[i]->uv, UV_RUN_NOWAIT);
        state->loops[i]->unsent = false;
    }
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

/* Put a key that is watched into a new set of its loop's. */
static int put(sel__uv_watcher *watcher, int set)
{
    int error = sel__uv_control(set, EPOLL_CTL_ADD, watcher->fd, watcher->entry->events);

    if (!sel__means_gone(error))
        return error;
    sel__gone(watcher->poll.data, watcher->fd); /* another thread closed it */
    return 0;
}

/* What libuv was told stays true: it looks for the same numbers in the new set. */
static int fill(sel__uv_loop *loop, int set)
{
    sel__uv_state *state = loop->state;
    int error = 0;

    for (int fd = 0; fd < state->length && error == 0; fd++) {
        sel__uv_watcher *watcher = state->watchers[fd];

        if (watcher == NULL || watcher->home != loop)
            continue;
        if (watcher->phase == SEL__UV_WATCHED || watcher->phase == SEL__UV_UNSENT)
            error = put(watcher, set);
    }
    for (int i = 1; i < state->loops_length && error == 0; i++)
        if (above(state, i) == loop)
            error = sel__uv_control(set, EPOLL_CTL_ADD, uv_backend_fd(&state->loops[i]->uv),
                                    SEL_EVENT_READ);
    return error;
}

/*
 * uv_loop_fork() would do much the same but leaves the loop without any set when it
 * fails. The sets above watch the old one and must leave it while its number still
 * means it.
 */
static int renew_loop(sel__uv_state *state, int index)
{
    sel__uv_loop *loop = state->loops[index];
    int fresh = epoll_create1(EPOLL_CLOEXEC);
    int error, entered;

    if (fresh < 0)
        return -errno;
    error = fill(loop, fresh);
    if (error == 0) {
        leave_above(state, index);
        if (dup3(fresh, uv_backend_fd(&loop->uv), O_CLOEXEC) < 0)
            error = -errno;
        entered = enter_above(state, index);
        error = error == 0 ? entered : error;
    }
    close(fresh);
    loop->stale = error < 0;
    return error;
}

int sel__uv_renew(sel__uv_state *state)
{
    sel__check_all(state->sel);
    for (int i = 0; i < state->loops_length; i++) {
        int error = state->loops[i]->stale ? renew_loop(state, i) : 0;

        if (error < 0)
            return error;
    }
    state->stale = false;
    return 0;
}

/*
 * libuv opens descriptors when it follows, which may get the number of a watcher that
 * rests. To stop one takes the number out of the set, which is still the parent's: so
 * the set's number means, as long as that, something that is none.
 */
static void stop_resting(sel__uv_loop *loop)
{
    sel__uv_state *state = loop->state;

    dup3(loop->uv.async_io_watcher.fd, uv_backend_fd(&loop->uv), O_CLOEXEC);
    for (int fd = 0; fd < state->length; fd++)
        if (state->watchers[fd] != NULL && state->watchers[fd]->home == loop)
            sel__uv_stop(state->watchers[fd]);
}

/* libuv will tell the new set of all that is started. */
static int restart(sel__uv_loop *loop)
{
    sel__uv_state *state = loop->state;
    int error;

    for (int fd = 0; fd < state->length; fd++)
        if (state->watchers[fd] != NULL && state->watchers[fd]->home == loop &&
            state->watchers[fd]->phase == SEL__UV_WATCHED)
            sel__uv_list_unsent(state->watchers[fd]);
    loop->unsent = state->unsent = true;
    error = fill(loop, uv_backend_fd(&loop->uv));
    loop->stale = false;
    return error;
}

/*
 * Downwards from the first loop, so that a portal is opened on a loop that has
 * followed; and to the last, for one that has not would still change its parent's.
 */
int sel__uv_follow_fork(sel__uv_state *state)
{
    int result = 0;

    for (int i = 0; i < state->loops_length; i++) {
        sel__uv_loop *loop = state->loops[i];
        int error = state->gone ? -EBADF : state->lost ? -ENOMEM : 0;

        if (error == 0 && !sel__loop_is_own(&loop->uv))
            error = -EBADF;
        if (error == 0) {
            stop_resting(loop);
            close_portal(loop);
            error = sel__fork_loop(&loop->uv);
        }
        if (error < 0) {
            state->gone = error == -EBADF;
            state->lost = true;
            return error;
        }
        error = restart(loop);
        if (error == 0 && i > 0)
            error = open_portal(state, i);
        if (error < 0)
            result = error;
    }
    return result;
}

static void free_watcher(uv_handle_t *handle)
{
    free(handle);
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (uv_is_closing(handle))
        return;
    if (uv_handle_get_type(handle) == UV_POLL)
        uv_close(handle, free_watcher);
    else
        uv_close(handle, NULL);
}

void sel__uv_close_loops(sel__uv_state *state)
{
    for (int i = state->loops_length - 1; i >= 0; i--) {
        sel__uv_loop *loop = state->loops[i];

        uv_walk(&loop->uv, close_handle, NULL);
        sel__disown_loop(&loop->uv);
        while (uv_loop_close(&loop->uv) == UV_EBUSY)
            uv_run(&loop->uv, UV_RUN_DEFAULT);
        free(loop);
    }
    free(state->loops);
    free(state->watchers);
}
