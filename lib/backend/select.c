/* SPDX-License-Identifier: MIT */
/*
 * select(2).
 *
 * select() says which descriptors to look at and, for most of them, what is ready. It
 * does not report a hang-up: it calls one readable, and only where readability was
 * asked for. So every descriptor is in the read set, and where the answer is not
 * exactly what the program wants, one poll(2) asks about all of those. Nor does
 * select() keep its deadline across a SIGSTOP, so poll(2) does every wait that has one.
 */
#include "backend/polling.h"
#include "selector/selector.h"

#include <stdlib.h>
#include <sys/select.h>

struct state {
    sel_selector *sel;
    fd_set watched; /* for any event */
    fd_set writers;
    fd_set excepts;
    int limit; /* one more than the highest descriptor that was ever in the sets */
    int beyond[SEL__MOST_INTERNAL]; /* the library's own that the sets can't hold */
    int beyond_length;
    bool in_vain; /* select() returned for something that gave no pair: use poll next */
    sel__polling polling;
    /* For poll(2); not on the stack, because a thread's may be small. */
    struct pollfd fds[FD_SETSIZE + SEL__MOST_INTERNAL];
};

static int open_select(sel_selector *sel, void **ret_state)
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
    FD_ZERO(&state->watched);
    FD_ZERO(&state->writers);
    FD_ZERO(&state->excepts);
    *ret_state = state;
    return 0;
}

static void close_select(void *data, bool forked)
{
    struct state *state = data;

    (void)forked;
    sel__close_polling(&state->polling);
    free(state);
}

static void put(fd_set *set, int fd, bool member)
{
    if (member)
        FD_SET(fd, set);
    else
        FD_CLR(fd, set);
}

static int change(void *data, int fd, int events)
{
    struct state *state = data;

    put(&state->watched, fd, events != 0);
    put(&state->writers, fd, events & SEL_EVENT_WRITE);
    put(&state->excepts, fd, events & SEL_EVENT_EXCEPT);
    return 0;
}

static void remove_beyond(struct state *state, int fd)
{
    int i = 0;

    while (state->beyond[i] != fd)
        i++;
    state->beyond[i] = state->beyond[--state->beyond_length];
}

/* From FD_SETSIZE on, FD_SET would write past the end of the set. */
static int add(void *data, int fd, int events)
{
    struct state *state = data;
    const sel__entry *entry = sel__entry_at(state->sel, fd);
    int error = sel__admit(&state->polling, entry, fd);

    if (error < 0)
        return error;
    if (fd >= FD_SETSIZE && !(entry->flags & SEL__INTERNAL))
        return -ERANGE;
    if (fd >= FD_SETSIZE) {
        state->beyond[state->beyond_length++] = fd;
        return 0;
    }
    if (fd >= state->limit)
        state->limit = fd + 1;
    change(state, fd, events);
    return 0;
}

static void remove_select(void *data, int fd)
{
    if (fd >= FD_SETSIZE)
        remove_beyond(data, fd);
    else
        change(data, fd, 0);
}

static struct pollfd as_pollfd(const struct state *state, int fd)
{
    return (struct pollfd){
        .fd = fd,
        .events = sel__to_poll(sel__entry_at(state->sel, fd)->armed),
    };
}

/* Ask poll(2) about the first `length` of fds. */
static int ask_poll(struct state *state, unsigned length, int64_t timeout)
{
    int count = sel__poll(state->fds, length, timeout, &state->polling);

    if (count > 0)
        sel__report_polled(state->sel, state->fds, length, count);
    return count;
}

/*
 * Wait with poll(2) instead. That is needed for a wait with a deadline; for a
 * descriptor that is readable though nobody wants to read it, because of which select()
 * would keep returning at once; to find the closed descriptor when select() says EBADF,
 * because it does not say which; and for descriptors that the sets can't hold.
 */
static int wait_by_poll(struct state *state, int64_t timeout)
{
    unsigned length = 0;
    int count;

    state->in_vain = false;
    for (int fd = 0; fd < state->limit; fd++)
        if (FD_ISSET(fd, &state->watched))
            state->fds[length++] = as_pollfd(state, fd);
    for (int i = 0; i < state->beyond_length; i++)
        state->fds[length++] = as_pollfd(state, state->beyond[i]);
    count = ask_poll(state, length, timeout);
    return count < 0 ? count : 0;
}

/* Report what select() settles by itself; put the rest into state->fds. */
static unsigned report_plain(struct state *state, const fd_set *read, const fd_set *write,
                             const fd_set *except)
{
    unsigned unsure = 0;

    for (int fd = 0; fd < state->limit; fd++) {
        int ready = (FD_ISSET(fd, read) ? SEL_EVENT_READ : 0) |
                    (FD_ISSET(fd, write) ? SEL_EVENT_WRITE : 0) |
                    (FD_ISSET(fd, except) ? SEL_EVENT_EXCEPT : 0);
        int wanted;

        if (ready == 0)
            continue;
        wanted = sel__entry_at(state->sel, fd)->armed;
        if ((wanted & ~ready) != 0)
            state->fds[unsure++] = as_pollfd(state, fd);
        else if (sel__check(state->sel, fd))
            sel__report(state->sel, fd, wanted);
    }
    return unsure;
}

/* Only for a wait that has no deadline, or just looks. */
static int wait_by_select(struct state *state, int64_t timeout)
{
    fd_set read = state->watched, write = state->writers, except = state->excepts;
    struct timespec none = {0};
    unsigned unsure;
    int count = pselect(state->limit, &read, &write, &except, timeout == 0 ? &none : NULL,
                        NULL);

    if (count < 0)
        return errno == EBADF ? wait_by_poll(state, 0) : -errno;
    if (count == 0)
        return 0;
    unsure = report_plain(state, &read, &write, &except);
    if (unsure == 0)
        return 0;
    count = ask_poll(state, unsure, 0);
    if (count < 0)
        return count;
    state->in_vain = count == 0 && !sel__is_over(state->sel);
    return 0;
}

static int wait_select(void *data, int64_t deadline)
{
    struct state *state = data;
    int64_t timeout = sel__left(deadline);

    if (state->in_vain || state->beyond_length > 0 ||
        (timeout != 0 && timeout != SEL__FOREVER))
        return wait_by_poll(state, timeout);
    return wait_by_select(state, timeout);
}

static int rearm(void *data)
{
    struct state *state = data;

    return sel__rearm_polling(&state->polling);
}

const sel__backend sel__select_backend = {
    .name = "select",
    .open = open_select,
    .close = close_select,
    .add = add,
    .change = change,
    .remove = remove_select,
    .wait = wait_select,
    .rearm = rearm,
};
