/* SPDX-License-Identifier: MIT */
/*
 * Ending a wait from another thread or a signal handler: an eventfd, or a pipe where
 * there is none, watched as an ordinary descriptor, a flag that makes calls coalesce, and
 * one that says that the wait must return.
 *
 * Not uv_async_t: its pending flag does not survive uv_loop_fork() (a send that was
 * pending swallows every later one), and its init is not thread-safe.
 */
#ifndef SEL_WAKEUP_H
#define SEL_WAKEUP_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct sel__wakeup {
    int fd;
    int out;               /* a pipe's other end, or -1 */
    atomic_bool pending;   /* the descriptor is readable, or about to be */
    atomic_bool requested; /* a wait must return, whatever else there is */
    atomic_uint senders;   /* calls that have not returned yet */
} sel__wakeup;

/* --- wakeup_eventfd.c or wakeup_pipe.c --- */

int sel__wakeup_open(sel__wakeup *wakeup);
void sel__wakeup_close(sel__wakeup *wakeup);

/* Make the descriptor readable, and no longer so. */
void sel__wakeup_write(sel__wakeup *wakeup);
void sel__wakeup_empty(sel__wakeup *wakeup);

/* --- the same with both --- */

/*
 * Make the descriptor readable. From any thread; async-signal-safe. Between begin and
 * end the selector is not freed: another thread may see the effect of a send, and close
 * the selector because of it, before the sender has returned.
 */
static inline void sel__wakeup_begin(sel__wakeup *wakeup)
{
    atomic_fetch_add(&wakeup->senders, 1);
}

static inline void sel__wakeup_end(sel__wakeup *wakeup)
{
    atomic_fetch_sub(&wakeup->senders, 1);
}

static inline void sel__wakeup_send(sel__wakeup *wakeup)
{
    if (!atomic_exchange(&wakeup->pending, true))
        sel__wakeup_write(wakeup);
}

/* sel__wakeup_send(), and the wait must return. */
static inline void sel__wakeup_request(sel__wakeup *wakeup)
{
    atomic_store(&wakeup->requested, true);
    sel__wakeup_send(wakeup);
}

/* Wait until no sender is between begin and end. */
static inline void sel__wakeup_wait_for_senders(sel__wakeup *wakeup)
{
    while (atomic_load(&wakeup->senders) > 0)
        sched_yield();
}

/*
 * Take whatever was sent. What senders did before is visible afterwards. The descriptor is
 * emptied before the flag is cleared: in the opposite order, the write of a sender between
 * the two would be read away and the flag would stay set for good.
 */
static inline void sel__wakeup_receive(sel__wakeup *wakeup)
{
    sel__wakeup_empty(wakeup);
    atomic_exchange(&wakeup->pending, false);
}

/* Was a return requested? Ask after receiving; only the first call says yes. */
static inline bool sel__wakeup_take_request(sel__wakeup *wakeup)
{
    return atomic_exchange(&wakeup->requested, false);
}

#endif
