/* SPDX-License-Identifier: MIT */
/*
 * Waiting: the one loop that knows deadlines and interruptions. Before each look at the
 * kernel the backend hears of what has changed since the last one. However early the
 * backend returns, the wait goes on until there is a pair, a wake-up or the deadline.
 */
#include "selector/selector.h"

#include "base/clock.h"
#include "debug/observer.h"
#include "base/own.h"
#include "base/set.h"

#include <math.h>
#include <unistd.h>

/*
 * An entry stays on the list until the backend has taken the change, so a wait that
 * fails half-way is tried again as a whole. A key that was removed meanwhile, or whose
 * change was undone, needs no call.
 */
SEL__RARE static int tell_changes(sel_selector *sel)
{
    while (sel->first_changed != SEL__NO_FD) {
        int fd = sel->first_changed;
        sel__entry *entry = sel__entry_at(sel, fd);

        if (entry->flags != 0 && !(entry->flags & SEL__GONE) &&
            entry->armed != entry->events) {
            int error = sel->backend->change(sel->state, fd, entry->events);

            if (error < 0)
                return error;
            entry->armed = entry->events;
        }
        sel->first_changed = entry->next_changed;
        entry->next_changed = SEL__UNLISTED;
    }
    return 0;
}

/*
 * Receiving the wake-up removes the only sign of the tasks it came for, so they are
 * taken too, and keep every wait short until they are dispatched. A wake-up for tasks
 * that have already run ends nothing.
 */
static void on_wakeup(sel_selector *sel, const sel_key *key, int mask)
{
    (void)key;
    (void)mask;
    sel__wakeup_receive(&sel->wakeup);
    sel__tasks_collect(&sel->tasks);
    sel->woken |= sel__wakeup_take_request(&sel->wakeup);
}

int sel__add_wakeup(sel_selector *sel, int fd)
{
    return sel__add_internal(sel, fd, on_wakeup, NULL);
}

/*
 * In a child that a signal handler forked during the wait, whatever has arrived is the
 * parent's.
 */
void sel__report_internal(sel_selector *sel, const sel__entry *entry, int fd)
{
    sel_key key = {.fd = fd, .events = entry->events, .data = entry->data};

    if ((entry->flags & SEL__INTERNAL) && !sel__is_foreign(sel))
        entry->callback(sel, &key, SEL_EVENT_READ);
}

void sel__report_polled(sel_selector *sel, const struct pollfd *fds, unsigned length, int count)
{
    /* Downwards: the last one may take the place of a descriptor that is gone. */
    for (unsigned i = length; i > 0 && count > 0; i--) {
        struct pollfd polled = fds[i - 1];

        if (polled.revents == 0)
            continue;
        count--;
        if (polled.revents & POLLNVAL)
            sel__gone(sel, polled.fd);
        else if (sel__check(sel, polled.fd))
            sel__report(sel, polled.fd, sel__from_poll(polled.revents));
    }
}

/* Without asking the services. */
static inline int64_t get_own_end(const sel_selector *sel, int64_t deadline)
{
    return sel__has_to_run(sel) ? 0 : sel__timers_cut(&sel->timers, deadline);
}

/* Asking may show that they have nothing more to say. */
SEL__RARE static int64_t ask_services(sel_selector *sel, int64_t deadline)
{
    int64_t end, due;

    sel->services->table->collect(sel->services);
    end = get_own_end(sel, deadline);
    if (end == 0 || !sel->restless)
        return end;
    due = sel->services->table->due(sel->services);
    return due < end ? due : end;
}

/* Until when the backend may sleep in a wait that ends at `deadline`. */
static inline int64_t get_end(sel_selector *sel, int64_t deadline)
{
    return sel->restless ? ask_services(sel, deadline) : get_own_end(sel, deadline);
}

/*
 * One look at everything, which may sleep. The services' loops are looked at before,
 * for what only that makes known to the kernel, and after, for what has arrived
 * meanwhile.
 */
static inline int look(sel_selector *sel)
{
    int error = sel->first_changed != SEL__NO_FD ? tell_changes(sel) : 0;

    if (error < 0)
        return error;
    error = sel->backend->wait(sel->state, get_end(sel, sel->deadline));
    if (sel->restless && error == 0)
        sel->services->table->collect(sel->services);
    return error;
}

/* The first look found nothing or failed with `error`: go on until the deadline. */
SEL__RARE static int look_again(sel_selector *sel, int error)
{
    while (!sel__is_foreign(sel) &&
           (error == -EINTR || (error == 0 && !sel__is_over(sel)))) {
        if (error == 0 && sel__left(sel->deadline) == 0)
            return 0;
        error = look(sel);
    }
    return error;
}

static inline int wait_until_over(sel_selector *sel, int64_t timeout)
{
    int error;

    sel->deadline = sel__deadline(timeout);
    sel->woken = false;
    sel__batch_begin(&sel->batch);
    error = look(sel);
    if (sel->batch.length > 0)
        error = 0;
    else if (error < 0 || !sel__has_to_run(sel))
        error = look_again(sel, error);
    return sel__is_foreign(sel) ? -ECHILD : error;
}

SEL__RARE static int wait_observed(sel_selector *sel, int64_t timeout)
{
    int error;

    if (sel__observer_debugs(sel->observer))
        sel__check_all(sel); /* uv and epoll would never notice some of those */
    sel__observe_wait(sel->observer, sel->batch.pairs, sel->batch.length);
    error = wait_until_over(sel, timeout);
    sel__observe_waited(sel->observer, sel->batch.pairs, sel->batch.length);
    return error;
}

/* Pass the wake-up that a failed wait took on to the next one, if it was this process's. */
SEL__RARE static int fail(sel_selector *sel, int error)
{
    if (sel->woken && error != -ECHILD)
        sel__wakeup_request(&sel->wakeup);
    return error;
}

static inline int collect(sel_selector *sel, int64_t timeout)
{
    int error = sel->observer == NULL ? wait_until_over(sel, timeout) :
                                        wait_observed(sel, timeout);

    if (error < 0)
        return fail(sel, error);
    sel->passes++;
    sel->pairs += sel->batch.length;
    return 0;
}

int sel__wait(sel_selector *sel, int64_t timeout)
{
    return collect(sel, timeout);
}

int sel_select(sel_selector *sel, double timeout, const sel_ready **ret_ready)
{
    int error = sel__usable(sel);

    if (error < 0)
        return error;
    if (isnan(timeout))
        return -EINVAL;
    if (sel__is_busy(sel))
        return -EBUSY;
    error = collect(sel, sel__to_ns(timeout));
    if (error < 0)
        return error;
    if (ret_ready != NULL)
        *ret_ready = sel->batch.pairs;
    return (int)sel->batch.length;
}

double sel_get_timeout(sel_selector *sel)
{
    int64_t sleep;

    if (sel__enter(sel, __func__) < 0)
        return SEL_FOREVER;
    sleep = sel__left(get_end(sel, SEL__FOREVER));
    return sleep == SEL__FOREVER ? SEL_FOREVER : sel__to_seconds(sleep);
}

/*
 * The descriptor that other loops watch is a set around the backend's, made when it is
 * first asked for. It is not the backend's own set because a backend may have to
 * replace that.
 */
int sel__enter_outer(sel_selector *sel, int fd)
{
    return sel->outer >= 0 ? sel__set_add(sel->outer, fd) : 0;
}

void sel__leave_outer(sel_selector *sel, int fd)
{
    if (sel->outer >= 0)
        sel__set_remove(sel->outer, fd);
}

void sel__close_outer(sel_selector *sel)
{
    sel__close_own(&sel->outer);
}

int sel_fileno(sel_selector *sel)
{
    int error = sel__enter(sel, __func__);

    if (error < 0)
        return error;
    if (sel->backend->fileno == NULL)
        return -ENOTSUP;
    if (sel->outer >= 0)
        return sel->outer;
    sel__check_all(sel);
    error = sel__set_open(&sel->outer);
    if (error == 0)
        error = sel__enter_outer(sel, sel->backend->fileno(sel->state));
    if (error < 0)
        sel__close_outer(sel);
    return error < 0 ? error : sel->outer;
}
