/* SPDX-License-Identifier: MIT */
/*
 * What the whole process has of signal handlers: which of libuv's handles are
 * started, and the dispositions that come back when the last of a signal's stops.
 */
#ifndef SEL_DISPOSITIONS_H
#define SEL_DISPOSITIONS_H

#include <stdbool.h>
#include <uv.h>

/* Begins as zeros, with an initialised handle. */
typedef struct sel__listener {
    uv_signal_t uv;
    struct sel__listener *next; /* among all that are started */
    int signum;
    bool started;
} sel__listener;

/* Start it if it is not.  0 or a negative errno. */
int sel__listen(sel__listener *listener, uv_signal_cb callback, int signum);

/* Stop it if it is started. A forked child has none of its parent's started. */
void sel__unlisten(sel__listener *listener);

#endif
