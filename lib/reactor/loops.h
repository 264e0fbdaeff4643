/* SPDX-License-Identifier: MIT */
/*
 * The libuv loops that the reactor's services live on.
 *
 * The selector watches each, on any backend, as an ordinary descriptor and never sleeps
 * in it. The loop's callbacks only record; sel_dispatch() runs what they recorded. A
 * 0 ms timer that starts itself anew can so never keep uv_run() from returning.
 */
#ifndef SEL_LOOPS_H
#define SEL_LOOPS_H

#include "selector/selector.h"
#include "uv/loop.h"

#include <uv.h>

struct sel__reactor;

/*
 *            readable            collect()
 *     IDLE ──────────► READY ──────────────────► DUE    only where it is shared
 *      ▲                 │                        │
 *      └─────────────────┴────────────────────────┘     sel__run_nested()
 *
 * What only uv_run() makes known to the kernel makes an idle one due, too.
 */
typedef enum {
    SEL__NESTED_IDLE,
    SEL__NESTED_READY, /* seen readable */
    SEL__NESTED_DUE    /* to be run by the next dispatch */
} sel__nested_phase;

typedef struct sel__nested {
    sel__loop loop; /* first: libuv's callbacks know no more */
    uv_prepare_t keeper; /* what keeps uv_run() from returning at once */
    sel_selector *sel;
    struct sel__reactor *reactor;
    int fd;      /* as it is registered; SEL__NO_FD: not */
    bool shared; /* has handles of the program's */
    bool hooked; /* of them, those that run once in every pass have begun to */
    sel__nested_phase phase;
} sel__nested;

/* A loop that is watched.  0 or a negative errno. */
int sel__open_nested(sel_selector *sel, struct sel__reactor *reactor, sel__nested **ret_nested);

/* Look at the kernel and call what is due. */
void sel__run_nested(sel__nested *nested);

/*
 * Milliseconds from the loop's time of the last look; -1: nothing to wait for.
 * Besides a due timer, it is 0 for handles that were started and that only uv_run()
 * makes known to the kernel, and for closing ones.
 */
int sel__nested_timeout(sel__nested *nested);

/* Has it prepare or check handles? These run in every pass and end no wait. */
bool sel__has_hooks(const sel__nested *nested);

/* First of all in a forked child: has it closed the loop's descriptors? */
void sel__check_nested(sel__nested *nested);

/* Follow a fork; after a failure it may be called again. */
int sel__follow_fork(sel__nested *nested);

void sel__unwatch_nested(sel__nested *nested);

/*
 * Close it; the selector's backend is closed by now. `forked`: in a child that has not
 * followed. false: it was left behind.
 */
bool sel__end_nested(sel__nested *nested, bool forked);

#endif
