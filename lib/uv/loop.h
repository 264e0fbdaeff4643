/* SPDX-License-Identifier: MIT */
/*
 * Having libuv open descriptors beside keys that may be closed by now, in a process
 * whose standard descriptors may be closed and that may have no more to open: an
 * error, where libuv would end the process.
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
    bool inherited;         /* has requests that a thread of a parent's works at */
    struct sel__loop *next; /* among those that are left behind */
} sel__loop;

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
