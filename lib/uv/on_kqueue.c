/* SPDX-License-Identifier: MIT */
/*
 * The loop's set where it is a kqueue(2).
 *
 * libuv adds a knote for READ and one for WRITE of each number, once; we enable and disable
 * them. It has none for out-of-band bytes, so poll(2) waits for those, beside the loop.
 * A child has no queue of its parent's, and what is closed goes by itself: there are no
 * ghosts. Guard 2 is not here: where more than 1,024 knotes are active a wait is slow.
 */
#include "uv/backend.h"

#include "base/clock.h"
#include "base/fork.h"
#include "base/kqueue.h"

int sel__loop_open_any(void)
{
    int fd = kqueue();

    return fd >= 0 ? fd : -errno;
}

/* --- one descriptor --- */

/* For some files there is no knote for WRITE, as for a queue. */
static bool has_write_knote(int queue, int fd)
{
    return sel__kqueue_tell_one(queue, fd, EVFILT_WRITE, EV_ADD | EV_DISABLE) == 0;
}

int sel__uv_everything(const sel__uv_watcher *watcher)
{
    int queue = uv_backend_fd(&watcher->state->loop.uv);

    return has_write_knote(queue, watcher->fd) ? UV_READABLE | UV_WRITABLE : UV_READABLE;
}

static int flag(int events, int event)
{
    return (events & event) ? EV_ENABLE : EV_DISABLE;
}

/*
 * `added`: EV_ADD, or 0 where the knotes are there. A refusal for WRITE, which comes after
 * READ's, is none where nobody wants to write.
 */
static int tell(int queue, int fd, int events, int added)
{
    struct kevent changes[] = {
        sel__kevent(fd, EVFILT_READ, added | flag(events, SEL_EVENT_READ)),
        sel__kevent(fd, EVFILT_WRITE, added | flag(events, SEL_EVENT_WRITE)),
    };
    int error = added ? sel__kqueue_add(queue, changes, 2) : sel__kqueue_tell(queue, changes, 2);
    bool is_taken = (changes[0].flags & EV_ERROR) && changes[0].data == 0;

    return is_taken && !(events & SEL_EVENT_WRITE) ? 0 : error;
}

static int drop(int queue, int fd)
{
    sel__kqueue_tell_one(queue, fd, EVFILT_READ, EV_DELETE);
    sel__kqueue_tell_one(queue, fd, EVFILT_WRITE, EV_DELETE);
    return 0;
}

static bool is_parents(const sel__uv_state *state)
{
    return state->loop.process != sel__forks();
}

static int watch_urgent(sel__uv_state *state, int set, int fd, int events)
{
    int error = sel__urgent_watch(&state->urgent, fd, events & SEL_EVENT_EXCEPT);

    state->rounds.set = state->urgent.length > 0 ? set : -1;
    return error;
}

int sel__uv_control(sel__uv_state *state, int set, sel__uv_operation operation, int fd,
                    int events)
{
    int error = 0;

    if (operation != SEL__UV_REMOVE)
        error = watch_urgent(state, set, fd, events);
    if (error == 0 && !is_parents(state))
        error = operation == SEL__UV_REMOVE ?
                drop(set, fd) : tell(set, fd, events, operation == SEL__UV_ADD ? EV_ADD : 0);
    if (operation == SEL__UV_REMOVE || (operation == SEL__UV_ADD && error < 0))
        watch_urgent(state, set, fd, 0);
    return error;
}

/* libuv does not show what else the queue says. */
int sel__uv_ask(const sel__uv_watcher *watcher, int events)
{
    if ((watcher->entry->events & SEL_EVENT_EXCEPT) && sel__kqueue_says_hung_up(watcher->fd))
        return SEL__EVERY_EVENT;
    return sel__from_uv(events);
}

/* By a change that changes nothing. */
bool sel__uv_knows(void *data, int fd)
{
    sel__uv_state *state = data;
    const sel__uv_watcher *watcher = state->watchers[fd];
    bool is_there = watcher->phase == SEL__UV_UNSENT || watcher->phase == SEL__UV_WATCHED;

    return !is_there || is_parents(state) ||
           !sel__means_gone(tell(sel__uv_set(state), fd, watcher->entry->armed, 0));
}

/* --- the whole --- */

int sel__uv_renew(sel__uv_state *state)
{
    state->stale = false;
    return 0;
}

void sel__uv_hide_set(sel__uv_state *state)
{
    (void)state;
}

int sel__uv_prepare_rounds(sel__uv_state *state)
{
    (void)state;
    return 0;
}

void sel__uv_told(sel__uv_state *state)
{
    (void)state;
}

/* What has slept until then is not libuv: its timer, for which it is too early, would stay. */
static void end_alarm(sel__uv_state *state)
{
    uv_timer_stop(&state->alarm);
    state->alarm_deadline = SEL__FOREVER;
    state->sel->undue = SEL__FOREVER;
}

int sel__uv_run_rounds(sel__uv_state *state, uv_run_mode mode)
{
    int64_t deadline = mode == UV_RUN_ONCE ? state->alarm_deadline : 0;
    int error = sel__urgent_wait(&state->urgent, state->sel, state->rounds.set, &deadline);

    if (error < 0)
        return error;
    if (sel__left(state->alarm_deadline) == 0)
        end_alarm(state);
    uv_run(&state->loop.uv, deadline == 0 ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    return 0;
}

void sel__uv_close_rounds(sel__uv_state *state)
{
    (void)state;
}
