/* SPDX-License-Identifier: MIT */
/*
 * --status: show on a terminal, a few times a second, what a server does.
 *
 * A timer of one reactor draws it from what the meters of all reactors have published.
 * Writing to the terminal never waits: one that is stopped (^S) or slow misses pictures
 * and holds up no client.  If the status is NULL, all of this does nothing.
 */
#ifndef DEMO_STATUS_H
#define DEMO_STATUS_H

#include "kit/meter.h"

#include <selkie.h>

typedef struct status status;

/*
 * For that many reactors; NULL if stdout is no terminal that can show it.  A failure
 * prints one plain line and ends the program.
 */
status *status_open(int reactors);

/* The meter of one reactor; NULL without a status. */
meter *status_meter(status *self, int reactor);

/* Draw from now on.  Returns 0 or a negative errno. */
int status_start(status *self, sel_selector *sel, int listener);

/* Restore the terminal. exit() does so too. */
void status_close(status *self);

#endif
