/* SPDX-License-Identifier: MIT */
/*
 * Guard 2: more events than libuv takes at a time.
 *
 * uv_run() takes 1,024 events and, as long as that many come, asks again, up to 48
 * times. Our callback only records readiness and leaves everything ready, so 2,000
 * ready descriptors would cost 48 rounds. After the first round, therefore, the number
 * of the loop's epoll set stands for an empty set until uv_run() has returned, and the
 * real one, which is kept under another number, is asked for the rest. The kernel then
 * starts with those that it has not reported yet.
 */
#include "uv/backend.h"

#include "backend/epoll_wait.h"
#include "base/own.h"
#include "base/set.h"

#include <fcntl.h>
#include <unistd.h>

enum { ROUND = 1024 };

/* Both stay open: later there may be no descriptor left. */
static int open_sets(sel__uv_state *state)
{
    sel__uv_rounds *rounds = &state->rounds;
    int error = sel__own(fcntl(uv_backend_fd(&state->loop.uv), F_DUPFD_CLOEXEC, 0),
                         &rounds->set);

    if (error < 0)
        return error;
    error = sel__set_open(&rounds->empty);
    if (error < 0)
        sel__close_own(&rounds->set);
    return error;
}

int sel__uv_prepare_rounds(sel__uv_state *state)
{
    int error;

    if (state->rounds.set >= 0 || state->handles < ROUND - 1)
        return 0;
    sel__check_all(state->sel);
    error = open_sets(state);
    for (int fd = 0; error == 0 && fd < state->length; fd++)
        if (state->watchers[fd] != NULL)
            sel__uv_count(state->watchers[fd]);
    return error;
}

void sel__uv_told(sel__uv_state *state)
{
    sel__uv_rounds *rounds = &state->rounds;

    if (++rounds->told >= ROUND && !rounds->over)
        rounds->over = dup3(rounds->empty, uv_backend_fd(&state->loop.uv), O_CLOEXEC) >= 0;
}

/* As in the epoll backend, the events become pairs where they are. */
static void take_rest(sel__uv_state *state)
{
    sel_selector *sel = state->sel;
    int capacity = (int)(sel->batch.capacity - sel->batch.length);
    const struct epoll_event *end = (struct epoll_event *)(sel->batch.pairs + sel->batch.capacity);
    struct epoll_event *event = (struct epoll_event *)end - capacity;
    int count = sel__epoll_wait_ms(state->rounds.set, event, capacity, 0);

    if (count < 0)
        return;
    for (end = event + count; event < end; event++) {
        int fd = event->data.fd;

        if (state->watchers[fd]->phase == SEL__UV_WATCHED)
            sel__report(sel, fd, sel__from_poll((int)event->events));
    }
}

/* Make the number stand for the real set again. */
SEL__RARE static int restore(sel__uv_rounds *rounds, int number)
{
    if (dup3(rounds->set, number, O_CLOEXEC) < 0)
        return -errno;
    rounds->over = false;
    return 0;
}

/*
 * If the set can't be restored, the next run does that; what was reported counts all
 * the same.
 */
int sel__uv_run_rounds(sel__uv_state *state, uv_run_mode mode)
{
    sel__uv_rounds *rounds = &state->rounds;
    int number = uv_backend_fd(&state->loop.uv);
    int error = rounds->over ? restore(rounds, number) : 0;

    if (error < 0)
        return error;
    rounds->told = 0;
    uv_run(&state->loop.uv, mode);
    if (rounds->over) {
        take_rest(state);
        restore(rounds, number);
    }
    return 0;
}

int sel__uv_replace_set(sel__uv_state *state, int fresh)
{
    if (dup3(fresh, uv_backend_fd(&state->loop.uv), O_CLOEXEC) < 0 ||
        (state->rounds.set >= 0 && dup3(fresh, state->rounds.set, O_CLOEXEC) < 0))
        return -errno;
    state->rounds.over = false;
    return 0;
}

void sel__uv_close_rounds(sel__uv_state *state)
{
    if (state->rounds.set < 0)
        return;
    sel__close_own(&state->rounds.set);
    sel__close_own(&state->rounds.empty);
    state->rounds.over = false;
}
