/* SPDX-License-Identifier: MIT */
/*
 * --status: what a server does, on a terminal, a few times a second.
 *
 * A timer of one reactor's draws it, from what the meters of all have published.  The
 * terminal is written to without waiting: one that is held (^S) or slow misses pictures
 * and holds up no client.  With NULL for a status all of this does nothing.
 */
#ifndef DEMO_STATUS_H
#define DEMO_STATUS_H

#include "kit/meter.h"

#include <selkie.h>

typedef struct status status;

/* For so many reactors; NULL: stdout is no terminal that can show it.  Failure is one
 * plain line and the program's end. */
status *status_open(int reactors);

/* The meter of one reactor; NULL without a status. */
meter *status_meter(status *self, int reactor);

/* Draw from now on.  Returns 0 or a negative errno. */
int status_start(status *self, sel_selector *sel, int listener);

/* Leave the terminal as it was.  exit() does the same. */
void status_close(status *self);

#endif
