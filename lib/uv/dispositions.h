/* SPDX-License-Identifier: MIT */
/*
 * The process's signal handlers: which of libuv's handles are started, and the
 * dispositions that come back when the last one for a signal stops.
 */
#ifndef SEL_DISPOSITIONS_H
#define SEL_DISPOSITIONS_H

#include <stdbool.h>
#include <uv.h>

/* Zeroed at first, except for an initialised handle. */
typedef struct sel__listener {
    uv_signal_t uv;
    struct sel__listener *next; /* in the list of all that are started */
    int signum;
    bool started;
} sel__listener;

/* Start it if it is not started. Returns 0 or a negative errno. */
int sel__listen(sel__listener *listener, uv_signal_cb callback, int signum);

/* Stop it if it is started. In a forked child none of the parent's is. */
void sel__unlisten(sel__listener *listener);

#endif
