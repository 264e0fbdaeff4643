/* SPDX-License-Identifier: MIT */
/*
 * A libuv loop that ends no process, and what has to be known of libuv for that and for
 * the rest. Comments elsewhere name a guard by its number.
 *
 *     libuv (versions)                              so                         where
 *  1  aborts where the kernel refuses a started     the kernel is asked        watcher.c
 *     handle in uv_run()                            first, by us               set.c
 *  2  takes 1,024 events and asks again, up to      its set is an empty one    rounds.c
 *     48 times                                      after the first
 *  3  shows a hang-up only where nothing else is    poll(2) is asked           watcher.c
 *     ready, and UV_EBADF for any error
 *  4  sets O_NONBLOCK on the open file              it is set back             watcher.c
 *  5  runs timers before it polls (below 1.45):     an alarm stops the loop    backend.c
 *     a due one leaves the poll without an end
 *  6  does not look at the kernel where no handle   a handle keeps it from     reactor/
 *     is active                                     that                       loops.c
 *  7  aborts when it closes a descriptor of its     those numbers are held     loop.c
 *     own that is 0, 1 or 2                         while it opens some
 *  8  aborts where a process's first loop has no    so many are tried first    loop.c
 *     descriptors left
 *  9  leaves the epoll set of a loop that could     it is closed               loop.c
 *     not be made (1.44)
 * 10  has no set after a uv_loop_fork() that        such a loop is LOST        loop.c
 *     failed, and would abort
 * 11  waits in a child for what a signal or a       that is forgotten          loop.c
 *     thread of the parent's was about to send
 * 12  can't close a loop that waits for a           it is left behind          loop.c
 *     thread's request, which is the parent's
 * 13  aborts where it can't have its threads        they are tried first       pool.c
 * 14  joins the parent's threads when a child       the child has threads of   pool_end.c
 *     exits                                         its own by then
 * 15  leaves a signal SIG_DFL, and writes a         dispositions come back     dispositions.c
 *     child's into its parent's pipe
 *
 * What can't be helped: it aborts when memory runs out inside it, or when another thread
 * closes a descriptor between our look and its call.
 */
#ifndef SEL_LOOP_H
#define SEL_LOOP_H

#include <selkie/selectors.h>

#include <stdbool.h>
#include <uv.h>

/* uv_version() from which libuv has rings, and stacks of its own for its threads. */
enum { SEL__LIBUV_1_45 = 0x12d00 };

typedef enum {
    SEL__LOOP_OPEN,
    SEL__LOOP_LOST, /* a fork could not be followed: without a set it would abort */
    SEL__LOOP_GONE  /* a child has closed its descriptors: it must never run */
} sel__loop_state;

typedef struct sel__loop {
    uv_loop_t uv; /* first: libuv's callbacks know no more */
    sel__loop_state state;
    unsigned int process;   /* that its set was made in, by sel__forks() */
    bool inherited;         /* has requests that a thread of a parent's works at */
    struct sel__loop *next; /* among those that are left behind */
} sel__loop;

/* --- on_epoll.c or on_kqueue.c --- */

/* Has a forked child the set of its parent's loop? */
extern const bool sel__loop_set_is_inherited;

/* A descriptor of whatever kind, or -errno. */
int sel__loop_open_any(void);

/* --- loop.c --- */

/*
 * uv_loop_init(); its descriptors are taken for none of the keys of `sel`, if not NULL.
 * `loop` is zeroed. 0 or a negative errno.
 */
int sel__loop_open(sel__loop *loop, sel_selector *sel);

/* First of all in a forked child: are its descriptors still its own? */
bool sel__loop_check(sel__loop *loop);

/*
 * uv_loop_fork(), after sel__check_all(). 0, -EBADF if it is gone, or another negative
 * errno and it is lost.
 */
int sel__loop_fork(sel__loop *loop);

/*
 * Close what is on it, by `close_handle`, and then it. false: it was left behind, since a
 * thread of a parent's works at what it waits for.
 */
bool sel__loop_close(sel__loop *loop, uv_walk_cb close_handle);

/* It never runs again, and stays, with all that libuv has in it. */
void sel__loop_leave_behind(sel__loop *loop);

#endif
