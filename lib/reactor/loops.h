/* SPDX-License-Identifier: MIT */
/*
 * The libuv loops that the reactor's services run on.
 *
 * The selector watches each of them as an ordinary descriptor, on any backend, and
 * never sleeps in it. The loop's callbacks only record; sel_dispatch() runs what they
 * recorded. So a 0 ms timer that restarts itself can never keep uv_run() from
 * returning.
 */
#ifndef SEL_LOOPS_H
#define SEL_LOOPS_H

#include "selector/selector.h"
#include "uv/loop.h"

#include <uv.h>

struct sel__reactor;

/*
 *            readable            collect()
 *     IDLE ──────────► READY ──────────────────► DUE    only if it is shared
 *      ▲                 │                        │
 *      └─────────────────┴────────────────────────┘     sel__run_nested()
 *
 * An idle loop also becomes due when it holds something that only uv_run() tells the
 * kernel.
 */
typedef enum {
    SEL__NESTED_IDLE,
    SEL__NESTED_READY, /* found readable */
    SEL__NESTED_DUE    /* the next dispatch runs it */
} sel__nested_phase;

typedef struct sel__nested {
    sel__loop loop; /* first: all that libuv's callbacks get */
    uv_prepare_t keeper; /* keeps uv_run() from returning at once */
    sel_selector *sel;
    struct sel__reactor *reactor;
    int fd;        /* as registered; SEL__NO_FD if it is not */
    int duplicate; /* what is registered if a key already had the loop's number; or -1 */
    bool shared;   /* the program may put its handles on it */
    bool hooked;   /* its prepare or check handles have begun to run */
    sel__nested_phase phase;
} sel__nested;

/* Open a loop and watch it. Returns 0 or a negative errno. */
int sel__open_nested(sel_selector *sel, struct sel__reactor *reactor, sel__nested **ret_nested);

/* Look at the kernel and call whatever is due. */
void sel__run_nested(sel__nested *nested);

/*
 * Milliseconds from the loop's last idea of now; -1 if there is nothing to wait for. It
 * is 0 for a due timer, for handles that were started and that only uv_run() tells the
 * kernel about, and for handles that are closing.
 */
int sel__nested_timeout(sel__nested *nested);

/* Does it have prepare or check handles? These run in every pass and end no wait. */
bool sel__has_hooks(const sel__nested *nested);

/* First thing in a forked child: notice whether it has closed the loop's descriptors. */
void sel__check_nested(sel__nested *nested);

/* Follow a fork; after a failure it may be called again. */
int sel__follow_fork(sel__nested *nested);

void sel__unwatch_nested(sel__nested *nested);

/*
 * Close it, after the selector's backend. `forked`: in a child that has not followed.
 * Returns false if its handles could not be closed: libuv may still use their memory.
 */
bool sel__end_nested(sel__nested *nested, bool forked);

#endif
