/* SPDX-License-Identifier: MIT */
/*
 * epoll(7).
 *
 * epoll watches open files, not numbers. If a descriptor is closed before it is
 * unregistered and a duplicate keeps its file open, the set goes on reporting that
 * file, and no call can remove it: a ghost. Every registration has a generation, which
 * comes back with the event beside the descriptor. An event with a dead generation
 * gives the ghost away, and a new set is built.
 *
 * A paused key stays in the set as EPOLLONESHOT without events. Hang-ups and errors,
 * which can't be masked, are then reported at most once, and resuming can't fail
 * because the kernel is out of memory.
 */
#include "backend/epoll_wait.h"
#include "base/own.h"
#include "base/set.h"
#include "selector/selector.h"

#include <stdlib.h>
#include <unistd.h>

typedef enum {
    NO_GHOSTS,
    POSSIBLE_GHOSTS, /* something could not be removed from the set */
    SEEN_GHOSTS      /* and it has been reported: a new set is needed */
} ghosts;

struct state {
    sel_selector *sel;
    int set;
    uint32_t generation; /* of the newest registration; its entry's mark */
    ghosts ghosts;
};

static int control(int set, int operation, int fd, uint32_t generation, int events)
{
    struct epoll_event event = {
        .events = events != 0 ? (uint32_t)sel__to_poll(events) : EPOLLONESHOT,
        .data.u64 = (uint64_t)generation << 32 | (uint32_t)fd,
    };

    return epoll_ctl(set, operation, fd, &event) == 0 ? 0 : -errno;
}

static int open_epoll(sel_selector *sel, void **ret_state)
{
    struct state *state = calloc(1, sizeof *state);
    int error;

    if (state == NULL)
        return -ENOMEM;
    state->sel = sel;
    error = sel__set_open(&state->set);
    if (error < 0)
        free(state);
    else
        *ret_state = state;
    return error;
}

/* Closing the set in a child does not affect the parent's, so `forked` makes no difference. */
static void close_epoll(void *data, bool forked)
{
    struct state *state = data;

    (void)forked;
    sel__close_own(&state->set);
    free(state);
}

/* -EEXIST: an earlier registration left a ghost with this number and this file. */
static int add(void *data, int fd, int events)
{
    struct state *state = data;
    uint32_t generation = ++state->generation;
    int error = control(state->set, EPOLL_CTL_ADD, fd, generation, events);

    if (error == -EEXIST)
        error = control(state->set, EPOLL_CTL_MOD, fd, generation, events);
    if (error < 0)
        return error;
    sel__entry_at(state->sel, fd)->mark = generation;
    return 0;
}

/*
 * epoll_ctl() notices a closed or replaced descriptor, unless a ghost has the same
 * number and the new file. So where ghosts are possible, the descriptor is checked
 * first.
 */
static int change(void *data, int fd, int events)
{
    struct state *state = data;
    int error;

    if (state->ghosts != NO_GHOSTS && !sel__check(state->sel, fd))
        return 0;
    error = control(state->set, EPOLL_CTL_MOD, fd, sel__entry_at(state->sel, fd)->mark, events);
    if (!sel__means_gone(error))
        return error;
    sel__gone(state->sel, fd);
    return 0;
}

static void remove_epoll(void *data, int fd)
{
    struct state *state = data;

    if (control(state->set, EPOLL_CTL_DEL, fd, 0, 0) < 0 && state->ghosts == NO_GHOSTS)
        state->ghosts = POSSIBLE_GHOSTS;
    sel__entry_at(state->sel, fd)->mark = 0;
}

/* Put every descriptor into a new set. */
static int fill(struct state *state, int set)
{
    sel_selector *sel = state->sel;

    for (int fd = sel__next_watched(sel, SEL__NO_FD); fd != SEL__NO_FD;
         fd = sel__next_watched(sel, fd)) {
        const sel__entry *entry = sel__entry_at(sel, fd);
        int error = control(set, EPOLL_CTL_ADD, fd, entry->mark, entry->armed);

        if (sel__means_gone(error))
            sel__gone(sel, fd); /* another thread has closed it since the check */
        else if (error < 0)
            return error;
    }
    return 0;
}

/* Replace the set with a new one; on failure the old one stays. */
static int renew(void *data)
{
    struct state *state = data;
    int set, error;

    sel__check_all(state->sel);
    error = sel__set_open(&set);
    if (error == 0)
        error = fill(state, set);
    if (error == 0)
        error = sel__enter_outer(state->sel, set);
    if (error < 0) {
        sel__close_own(&set);
        return error;
    }
    sel__leave_outer(state->sel, state->set);
    sel__close_own(&state->set);
    sel__move_own(&set, &state->set);
    state->ghosts = NO_GHOSTS;
    return 0;
}

SEL__RARE static int look_without_ghosts(struct state *state, bool is_full);

/*
 * The kernel writes its events to the end of the empty batch that they become, so one
 * call has room for all of them and needs no memory of its own: with as many pairs as
 * events, the pair made from event i ends before event i + 1 begins, because an event
 * is smaller than a pair.
 */
static int wait_epoll(void *data, int64_t deadline)
{
    struct state *state = data;
    sel_selector *sel = state->sel;
    int capacity = (int)sel->batch.capacity;
    const struct epoll_event *end = (struct epoll_event *)(sel->batch.pairs + capacity);
    struct epoll_event *event = (struct epoll_event *)end - capacity;
    int count = sel__epoll_wait(state->set, event, capacity, deadline);

    _Static_assert(sizeof *event <= sizeof(sel_ready), "an event must fit its pair");
    if (count < 0)
        return count;
    for (end = event + count; event < end; event++) {
        uint64_t tag = event->data.u64;
        int fd = (int)(uint32_t)tag;
        sel__entry *entry = sel__entry_at(sel, fd);

        if (entry->mark == tag >> 32)
            sel__report_entry(sel, entry, fd, sel__from_poll((int)event->events));
        else
            state->ghosts = SEEN_GHOSTS;
    }
    return state->ghosts == SEEN_GHOSTS ? look_without_ghosts(state, count == capacity) : 0;
}

/* If the batch was full, ghosts may have kept others out of it. */
static int look_without_ghosts(struct state *state, bool is_full)
{
    int error = renew(state);

    if (error < 0 || !is_full)
        return error;
    sel__batch_begin(&state->sel->batch);
    return wait_epoll(state, 0);
}

static int get_fileno(void *data)
{
    return ((struct state *)data)->set;
}

const sel__backend sel__epoll_backend = {
    .name = "epoll",
    .open = open_epoll,
    .close = close_epoll,
    .add = add,
    .change = change,
    .remove = remove_epoll,
    .wait = wait_epoll,
    .rearm = renew,
    .fileno = get_fileno,
};
