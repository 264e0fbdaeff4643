/* SPDX-License-Identifier: MIT */
/*
 * How a loop is told to end: one over descriptors hears SIGINT and SIGTERM as one
 * descriptor more.
 */
#ifndef DEMO_STOP_H
#define DEMO_STOP_H

#include <selkie.h>

/* A descriptor that turns readable when SIGINT or SIGTERM comes, instead of ending
 * the program.  Failure is one plain line and the program's end. */
int open_stop(void);

/* Take one signal, so that the descriptor is readable again only with the next. */
void take_stop(int stop);

/* loop.stop() as a task, of a signal or a timer. */
static inline void stop_loop(sel_selector *sel, void *data)
{
    (void)data;
    sel_stop(sel);
}

#endif
