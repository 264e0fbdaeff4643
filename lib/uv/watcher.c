/* SPDX-License-Identifier: MIT */
/*
 * One descriptor under libuv: its handle, and what is needed around it so that libuv
 * neither hides what the kernel reported nor aborts when the kernel refuses something.
 */
#include "uv/backend.h"

#include <fcntl.h>
#include <sys/ioctl.h>

enum { NEVER = 1 << 7 }; /* none of libuv's bits */

static int to_uv(int events)
{
    return ((events & SEL_EVENT_READ) ? UV_READABLE : 0) |
           ((events & SEL_EVENT_WRITE) ? UV_WRITABLE : 0) |
           ((events & SEL_EVENT_EXCEPT) ? UV_PRIORITIZED : 0);
}

static int control(const sel__uv_watcher *watcher, sel__uv_operation operation)
{
    return sel__uv_control(watcher->state, sel__uv_set(watcher->state), operation, watcher->fd,
                           watcher->entry->events);
}

static void enter(sel__uv_watcher *watcher, sel__uv_phase phase)
{
    const sel__entry *entry = watcher->entry;
    bool is_plain = phase == SEL__UV_WATCHED && entry->flags == SEL__REGISTERED;

    watcher->phase = phase;
    watcher->expected = is_plain && entry->events != 0 ? to_uv(entry->events) : NEVER;
}

static void take_out(sel__uv_watcher *watcher)
{
    if (control(watcher, SEL__UV_REMOVE) < 0)
        watcher->state->stale = true;
}

/*
 * Guard 3. On any error libuv says UV_EBADF and stops the handle. If the watcher was
 * resting, the error is a ghost's.
 */
static void on_error(sel__uv_watcher *watcher)
{
    sel_selector *sel = watcher->poll.data;

    take_out(watcher); /* before libuv does, and does not tell us */
    enter(watcher, SEL__UV_STOPPED);
    sel__disarmed(sel, watcher->fd);
    sel__report(sel, watcher->fd, SEL__EVERY_EVENT);
}

/* An unsent watcher is reported again once the kernel knows what its key wants. */
SEL__RARE static void report_unsure(sel__uv_watcher *watcher, int status, int events)
{
    const sel__entry *entry = watcher->entry;
    bool is_plain = entry->flags == SEL__REGISTERED;

    if (status != 0)
        on_error(watcher);
    else if (watcher->phase == SEL__UV_WATCHED)
        sel__report(watcher->poll.data, watcher->fd, is_plain ? sel__uv_ask(watcher, events) : 0);
}

/* On an error there are no events. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
    sel__uv_watcher *watcher = (sel__uv_watcher *)poll;
    sel_selector *sel = poll->data;
    sel__entry *entry = watcher->entry;

    if ((watcher->expected & ~events) == 0)
        sel__batch_add(&sel->batch, entry, watcher->fd, entry->events);
    else
        report_unsure(watcher, status, events);
}

/* For guard 2. */
static void on_poll_counted(uv_poll_t *poll, int status, int events)
{
    on_poll(poll, status, events);
    sel__uv_told(((sel__uv_watcher *)poll)->state);
}

void sel__uv_count(sel__uv_watcher *watcher)
{
    watcher->poll.poll_cb = on_poll_counted;
}

/*
 * Guard 4. Other processes may share the open file. FIONBIO restores the flag and
 * touches no other.
 */
int sel__uv_open_watcher(sel__uv_watcher *watcher)
{
    int flags = fcntl(watcher->fd, F_GETFL);
    int error;

    if (flags < 0)
        return -errno;
    error = uv_poll_init(&watcher->state->loop.uv, &watcher->poll, watcher->fd);
    watcher->poll.data = watcher->state->sel;
    watcher->next_unsent = SEL__UNLISTED;
    enter(watcher, SEL__UV_STOPPED);
    if (error == 0 && !(flags & O_NONBLOCK) && ioctl(watcher->fd, FIONBIO, &(int){0}) < 0)
        fcntl(watcher->fd, F_SETFL, flags);
    return error;
}

void sel__uv_list_unsent(sel__uv_watcher *watcher)
{
    sel__uv_state *state = watcher->state;

    enter(watcher, SEL__UV_UNSENT);
    state->unsent = true;
    if (watcher->next_unsent != SEL__UNLISTED)
        return;
    watcher->next_unsent = state->first_unsent;
    state->first_unsent = watcher->fd;
}

void sel__uv_sent(sel__uv_watcher *watcher)
{
    watcher->next_unsent = SEL__UNLISTED;
    if (watcher->phase == SEL__UV_UNSENT)
        enter(watcher, SEL__UV_WATCHED);
}

/* -EEXIST: an earlier registration left a ghost with this number and this file. */
static int put_in(const sel__uv_watcher *watcher)
{
    int error = control(watcher, SEL__UV_ADD);

    return error == -EEXIST ? control(watcher, SEL__UV_CHANGE) : error;
}

/*
 * libuv takes a number out of the set when it starts a handle and puts it in when it
 * runs; by then ours is there, so that only changes it. libuv's array grows here, and
 * never during a wait.
 */
int sel__uv_watch(sel__uv_watcher *watcher)
{
    bool is_resting = watcher->phase == SEL__UV_RESTING;
    int error;

    if (!is_resting)
        uv_poll_start(&watcher->poll, sel__uv_everything(watcher),
                      watcher->state->rounds.set < 0 ? on_poll : on_poll_counted);
    error = put_in(watcher);
    if (error == 0 && is_resting)
        enter(watcher, SEL__UV_WATCHED);
    else if (error == 0)
        sel__uv_list_unsent(watcher);
    else if (!is_resting)
        uv_poll_stop(&watcher->poll);
    return error;
}

int sel__uv_arm(sel__uv_watcher *watcher)
{
    int error = control(watcher, SEL__UV_CHANGE);

    if (error == 0)
        enter(watcher, watcher->phase);
    if (!sel__means_gone(error))
        return error;
    sel__gone(watcher->poll.data, watcher->fd);
    return 0;
}

void sel__uv_stop(sel__uv_watcher *watcher)
{
    if (watcher->phase != SEL__UV_RESTING)
        return;
    uv_poll_stop(&watcher->poll);
    enter(watcher, SEL__UV_STOPPED);
}

void sel__uv_forget(sel__uv_watcher *watcher)
{
    if (watcher->phase == SEL__UV_WATCHED) {
        take_out(watcher);
        enter(watcher, SEL__UV_RESTING);
    } else if (watcher->phase == SEL__UV_UNSENT) {
        take_out(watcher);
        uv_poll_stop(&watcher->poll);
        enter(watcher, SEL__UV_STOPPED);
    }
}
