/* SPDX-License-Identifier: MIT */
/*
 * kqueue(2).
 *
 * A queue holds knotes, one for a number and a filter. Every key has one for READ, which
 * is disabled while nobody wants to read, and one for WRITE while somebody wants to write.
 *
 * A knote goes when its number is closed, so that there are no ghosts; and that the one
 * for READ is still there proves that the number was not closed since. Nothing else does:
 * all TCP sockets of macOS and FreeBSD have the same device and inode, 0.
 */
#include "backend/urgent.h"
#include "base/descriptor.h"
#include "base/grow.h"
#include "base/kqueue.h"
#include "base/own.h"
#include "selector/selector.h"

#include <stdlib.h>

struct state {
    sel_selector *sel;
    int queue;
    struct kevent *events; /* two for each key, and more */
    int capacity;
    sel__urgent urgent;
};

static int open_kqueue(sel_selector *sel, void **ret_state)
{
    struct state *state = calloc(1, sizeof *state);
    int error;

    if (state == NULL)
        return -ENOMEM;
    state->sel = sel;
    error = sel__kqueue_open(&state->queue);
    if (error < 0)
        free(state);
    else
        *ret_state = state;
    return error;
}

static void close_kqueue(void *data, bool forked)
{
    struct state *state = data;

    (void)forked;
    sel__close_own(&state->queue);
    free(state->urgent.fds);
    free(state->events);
    free(state);
}

/* --- knotes --- */

static int read_flag(int events)
{
    return (events & SEL_EVENT_READ) ? EV_ENABLE : EV_DISABLE;
}

static void delete_knotes(int queue, int fd)
{
    struct kevent changes[] = {
        sel__kevent(fd, EVFILT_READ, EV_DELETE),
        sel__kevent(fd, EVFILT_WRITE, EV_DELETE),
    };

    sel__kqueue_tell(queue, changes, 2);
}

static int add_knotes(int queue, int fd, int events)
{
    struct kevent changes[] = {
        sel__kevent(fd, EVFILT_READ, EV_ADD | read_flag(events)),
        sel__kevent(fd, EVFILT_WRITE, EV_ADD),
    };
    int error = sel__kqueue_add(queue, changes, (events & SEL_EVENT_WRITE) ? 2 : 1);

    if (error < 0)
        delete_knotes(queue, fd);
    return error;
}

static int reserve(struct state *state)
{
    const sel__batch *batch = &state->sel->batch;
    uint32_t pairs = batch->wider != NULL ? batch->wider_capacity : batch->capacity;

    return sel__widen(&state->events, &state->capacity, 2 * (int)pairs, sizeof *state->events);
}

static int watch_urgent(struct state *state, int fd, int events)
{
    return sel__urgent_watch(&state->urgent, fd, events & SEL_EVENT_EXCEPT);
}

static int add(void *data, int fd, int events)
{
    struct state *state = data;
    int error = reserve(state);

    if (error == 0)
        error = watch_urgent(state, fd, events);
    if (error < 0)
        return error;
    error = add_knotes(state->queue, fd, events);
    if (error < 0)
        watch_urgent(state, fd, 0);
    return error;
}

static int change(void *data, int fd, int events)
{
    struct state *state = data;
    int differing = sel__entry_at(state->sel, fd)->armed ^ events;
    int write_flag = (events & SEL_EVENT_WRITE) ? EV_ADD : EV_DELETE;
    struct kevent changes[] = {
        sel__kevent(fd, EVFILT_READ, read_flag(events)),
        sel__kevent(fd, EVFILT_WRITE, write_flag),
    };
    int error = watch_urgent(state, fd, events);

    if (error == 0)
        error = sel__kqueue_tell(state->queue, changes, (differing & SEL_EVENT_WRITE) ? 2 : 1);
    if (!sel__means_gone(error))
        return error;
    sel__gone(state->sel, fd);
    return 0;
}

static void remove_kqueue(void *data, int fd)
{
    struct state *state = data;

    watch_urgent(state, fd, 0);
    if (!sel__is_foreign(state->sel))
        delete_knotes(state->queue, fd);
}

/* By a change that changes nothing. */
static bool knows(void *data, int fd)
{
    struct state *state = data;
    int flag = read_flag(sel__entry_at(state->sel, fd)->armed);

    return sel__is_foreign(state->sel) ||
           !sel__means_gone(sel__kqueue_tell_one(state->queue, fd, EVFILT_READ, flag));
}

/* --- waiting --- */

/*
 * Of a socket's two directions each may have ended for itself, and tells of that. Only
 * EXCEPT has no knote to tell of both.
 */
static int from_kevent(const struct kevent *event, const sel__entry *entry, int fd)
{
    bool is_end = event->flags & EV_EOF;

    if (is_end && (event->fflags != 0 || entry->kind != SEL__SOCKET ||
                   ((entry->events & SEL_EVENT_EXCEPT) && sel__kqueue_says_hung_up(fd))))
        return SEL__EVERY_EVENT;
    return event->filter == EVFILT_READ ? SEL_EVENT_READ : SEL_EVENT_WRITE;
}

static int wait_for_knotes(struct state *state, int64_t deadline)
{
    sel_selector *sel = state->sel;
    struct timespec left = sel__to_timespec(sel__left(deadline));
    int count = kevent(state->queue, NULL, 0, state->events, state->capacity,
                       deadline == SEL__FOREVER ? NULL : &left);

    if (count < 0)
        return -errno;
    for (const struct kevent *event = state->events; event < state->events + count; event++) {
        int fd = (int)event->ident;
        sel__entry *entry = sel__entry_at(sel, fd);

        sel__report_entry(sel, entry, fd, from_kevent(event, entry, fd));
    }
    return 0;
}

static int wait_kqueue(void *data, int64_t deadline)
{
    struct state *state = data;
    int error = 0;

    if (state->urgent.length > 0)
        error = sel__urgent_wait(&state->urgent, state->sel, state->queue, &deadline);
    return error < 0 ? error : wait_for_knotes(state, deadline);
}

/* --- forks, and other loops --- */

static int fill(struct state *state)
{
    sel_selector *sel = state->sel;
    int error = 0;

    for (int fd = sel__next_watched(sel, SEL__NO_FD); fd != SEL__NO_FD && error == 0;
         fd = sel__next_watched(sel, fd)) {
        error = add_knotes(state->queue, fd, sel__entry_at(sel, fd)->armed);
        if (sel__means_gone(error)) {
            sel__gone(sel, fd);
            error = 0;
        }
    }
    return error;
}

/* A new queue: the parent's is not here. */
static int rearm(void *data)
{
    struct state *state = data;
    int error;

    sel__close_own(&state->queue);
    error = sel__kqueue_open(&state->queue);
    if (error == 0)
        error = fill(state);
    if (error < 0)
        sel__close_own(&state->queue);
    return error;
}

static int get_fileno(void *data)
{
    return ((struct state *)data)->queue;
}

const sel__backend sel__kqueue_backend = {
    .name = "kqueue",
    .open = open_kqueue,
    .close = close_kqueue,
    .add = add,
    .change = change,
    .remove = remove_kqueue,
    .wait = wait_kqueue,
    .rearm = rearm,
    .fileno = get_fileno,
    .knows = knows,
};
