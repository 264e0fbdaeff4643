/* SPDX-License-Identifier: MIT */
/*
 * A libuv loop that never ends the process, and all that has to be known of libuv for
 * that and for the rest. Comments elsewhere name a guard by its number.
 *
 *     libuv (versions)                              so                         where
 *  1  aborts if the kernel refuses a started        we ask the kernel first    watcher.c
 *     handle in uv_run()                                                       set.c
 *  2  takes 1,024 events and asks again, up to      after the first time its   rounds.c
 *     48 times                                      set is an empty one
 *  3  shows a hang-up only if nothing else is       poll(2) is asked           on_epoll.c
 *     ready, and UV_EBADF for any error
 *  4  sets O_NONBLOCK on the open file              the flag is restored       watcher.c
 *  5  runs timers before it polls (below 1.45):     an alarm stops the loop    backend.c
 *     if one is due, the poll has no deadline
 *  6  does not look at the kernel if no handle      one handle is kept         reactor/
 *     is active                                     active                     loops.c
 *  7  aborts when it closes a descriptor of its     those numbers are held     loop.c
 *     own that is 0, 1 or 2                         while it opens some
 *  8  aborts if a process's first loop gets no      as many are opened first   loop.c
 *     descriptors                                   as a trial
 *  9  leaves the epoll set of a loop that could     it is closed               loop.c
 *     not be made (1.44)
 * 10  has no set after a uv_loop_fork() that        such a loop is LOST        loop.c
 *     failed, and would abort
 * 11  waits in a child for what a signal or one     that is forgotten          loop.c
 *     of the parent's threads was about to send
 * 12  can't close a loop that waits for a request   it is left behind          loop.c
 *     of one of the parent's threads
 * 13  aborts if it can't start its threads          they are started first     pool.c
 *                                                   as a trial
 * 14  joins the parent's threads when a child       by then the child has      pool_end.c
 *     exits                                         threads of its own
 * 15  leaves a signal SIG_DFL, and writes a         dispositions come back     dispositions.c
 *     child's into its parent's pipe
 *
 * Two things can't be prevented: libuv aborts when memory runs out inside it, and when
 * another thread closes a descriptor between our check and its call.
 */
#ifndef SEL_LOOP_H
#define SEL_LOOP_H

#include "config.h"

#include <selkie/selectors.h>

#include <stdbool.h>
#include <uv.h>

/* The uv_version() from which on libuv has io_uring rings and sets its threads' stack size. */
enum { SEL__LIBUV_1_45 = 0x12d00 };

typedef enum {
    SEL__LOOP_OPEN,
    SEL__LOOP_LOST, /* a fork could not be followed: without a set it would abort */
    SEL__LOOP_GONE  /* a child has closed its descriptors: it must never run */
} sel__loop_state;

enum { SEL__LOOP_NUMBERS = 5 };

typedef struct sel__loop {
    uv_loop_t uv; /* first: all that libuv's callbacks get */
    int own[SEL__LOOP_NUMBERS]; /* the descriptors that libuv keeps open for it; or -1 */
    sel__loop_state state;
    unsigned int process;   /* in which its set was made, as sel__forks() counts */
    bool inherited;         /* has requests that one of the parent's threads works on */
    struct sel__loop *next; /* in the list of those left behind */
} sel__loop;

/* A forked child has its parent's epoll set, but no kqueue of its parent's. */
enum { SEL__SET_IS_INHERITED = HAS_EPOLL };

/* --- on_epoll.c or on_kqueue.c --- */

/* A descriptor of whatever kind, or -errno. */
int sel__loop_open_any(void);

/* --- loop.c --- */

/*
 * uv_loop_init(). Checks the keys of `sel`, if it is not NULL, so that none is taken
 * for one of the loop's descriptors. `loop` is zeroed. Returns 0 or a negative errno.
 */
int sel__loop_open(sel__loop *loop, sel_selector *sel);

/* First thing in a forked child: are its descriptors still its own? */
bool sel__loop_check(sel__loop *loop);

/*
 * uv_loop_fork(), to be called after sel__check_all(). Returns 0, -EBADF if the loop is
 * gone, or another negative errno if it is now lost.
 */
int sel__loop_fork(sel__loop *loop);

/*
 * Close the handles on it, with `close_handle`, and then the loop. Returns false if it
 * was left behind, because it waits for one of the parent's threads.
 */
bool sel__loop_close(sel__loop *loop, uv_walk_cb close_handle);

/* Keep a loop that never runs again, with everything that libuv holds in it. */
void sel__loop_leave_behind(sel__loop *loop);

#endif
