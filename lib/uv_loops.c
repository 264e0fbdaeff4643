/* SPDX-License-Identifier: MIT */
#include "uv_private.h"

#include "loop.h"

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
 * What the kernel takes at one time it may refuse later, when the set above has
 * been put into others. So it has the portal from the start; libuv, told that it
 * is there already, changes it.
 */
static int start_portal(sel__uv_state *state, int index)
{
    sel__uv_loop *upper = above(state, index);
    struct epoll_event event = {.events = EPOLLIN};
    int fd = uv_backend_fd(&state->loops[index]->uv);

    uv_poll_start(state->loops[index]->portal, UV_READABLE, on_portal);
    upper->unsent = state->unsent = true;
    if (epoll_ctl(uv_backend_fd(&upper->uv), EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    return 0;
}

static void close_portal(sel__uv_loop *loop)
{
    if (loop->portal == NULL)
        return;
    uv_close((uv_handle_t *)loop->portal, free_portal);
    loop->portal = NULL;
}

static int open_portal(sel__uv_state *state, int index)
{
    sel__uv_loop *loop = state->loops[index];
    uv_poll_t *portal = malloc(sizeof *portal);
    int error;

    if (portal == NULL)
        return -ENOMEM;
    error = uv_poll_init(&above(state, index)->uv, portal, uv_backend_fd(&loop->uv));
    if (error < 0) {
        free(portal);
        return error;
    }
    portal->data = loop;
    loop->portal = portal;
    error = start_portal(state, index);
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

int sel__uv_find_loop(sel__uv_state *state, sel__uv_loop **ret_loop)
{
    int last = state->loops_length - 1;

    if (last < 0 || state->loops[last]->watchers >= SEL__UV_WATCHERS) {
        int error = open_loop(state);

        if (error < 0)
            return error;
        last++;
    }
    *ret_loop = state->loops[last];
    return 0;
}

void sel__uv_send(sel__uv_state *state)
{
    state->unsent = false;
    state->loops[0]->unsent = false;
    for (int i = state->loops_length - 1; i > 0; i--) {
        if (state->loops[i]->unsent)
            uv_run(&state->loops[i]->uv, UV_RUN_NOWAIT);
        state->loops[i]->unsent = false;
    }
}

/*
 * Start every active watcher of a loop again, into an epoll set that knows none
 * of them. What is no longer its own file has been stopped before: libuv aborts
 * when the kernel refuses it.
 */
static void restart(sel__uv_loop *loop)
{
    sel__uv_state *state = loop->state;

    for (int fd = 0; fd < state->length; fd++) {
        sel__uv_watcher *watcher = state->watchers[fd];

        if (watcher == NULL || watcher->home != loop)
            continue;
        watcher->in_kernel = uv_is_active((uv_handle_t *)&watcher->poll);
        if (watcher->in_kernel)
            sel__uv_start_again(watcher);
    }
    loop->unsent = state->unsent = true;
}

static int restart_portals(sel__uv_loop *loop)
{
    sel__uv_state *state = loop->state;
    int error = 0;

    for (int i = 1; i < state->loops_length && error == 0; i++)
        if (above(state, i) == loop)
            error = start_portal(state, i);
    return error;
}

/*
 * A ghost can't be taken out of an epoll set, so the loop gets a new set under
 * the old number. uv_loop_fork() would do the same but leaves the loop without
 * any when it fails. The portal and the set that sel_fileno() gave out watch
 * the old one and must leave it while its number still means it.
 */
static int renew_loop(sel__uv_state *state, int index)
{
    sel__uv_loop *loop = state->loops[index];
    int fd = uv_backend_fd(&loop->uv);
    int error = 0;
    int fresh;

    fresh = epoll_create1(EPOLL_CLOEXEC);
    if (fresh < 0)
        return -errno;
    if (index == 0)
        sel__leave_outer(state->sel, fd);
    else
        uv_poll_stop(loop->portal);
    if (dup3(fresh, fd, O_CLOEXEC) < 0)
        error = -errno;
    close(fresh);
    if (error < 0)
        return error;
    restart(loop);
    error = restart_portals(loop);
    if (error == 0)
        error = index > 0 ? start_portal(state, index) : sel__enter_outer(state->sel, fd);
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
 * Downwards from the first loop, so that a portal is opened on a loop that has
 * followed; and to the last, for one that has not would still change its parent's.
 */
int sel__uv_follow_fork(sel__uv_state *state)
{
    int result = 0;

    for (int i = 0; i < state->loops_length; i++) {
        sel__uv_loop *loop = state->loops[i];
        int error = state->lost ? -ENOMEM : 0;

        close_portal(loop);
        if (error == 0)
            error = sel__fork_loop(&loop->uv);
        if (error < 0) {
            state->lost = true;
            return error;
        }
        restart(loop);
        loop->stale = false;
        if (i > 0 && (error = open_portal(state, i)) < 0)
            result = error;
    }
    state->stale = true; /* what was started may be closed before it is sent */
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

/* A loop that lost its epoll set in a fork would abort the process if it ran. */
void sel__uv_close_loops(sel__uv_state *state)
{
    for (int i = state->loops_length - 1; i >= 0 && !state->lost; i--) {
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
