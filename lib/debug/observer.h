/* SPDX-License-Identifier: MIT */
/*
 * Whoever looks at what a selector does: statistics that were asked for, the
 * debug mode and the trace. sel->observer is NULL when nobody does.
 */
#ifndef SEL_OBSERVER_H
#define SEL_OBSERVER_H

#include <selkie/debug.h>

#include <stdint.h>

typedef struct sel__observer sel__observer;

/* Any function's type, to be named and never called. */
typedef void sel__function(void);

/* An observer if the environment asks for one.  0 or a negative errno. */
int sel__observer_from_environment(sel_selector *sel);
void sel__observer_close(sel__observer *observer);

/* A wait begins; it has ended. */
void sel__observe_wait(sel__observer *observer);
void sel__observe_waited(sel__observer *observer);

/* A dispatch begins; it has ended. */
void sel__observe_dispatch(sel__observer *observer);
void sel__observe_dispatched(sel__observer *observer);

/* A function of the program's is called; it has returned. */
void sel__observe_begin(sel__observer *observer);
void sel__observe_end(sel__observer *observer, const char *kind, int fd, sel__function *function);

/* In debug mode, what could be read before a callback; what it has left of it. */
int sel__observe_unread(sel__observer *observer, int fd);
void sel__observe_read(sel__observer *observer, int fd, int unread);

/* A key was removed: its number may become another file's. */
void sel__observe_removed(sel__observer *observer, int fd);

/* A registered descriptor was found closed or replaced. */
void sel__observe_gone(sel__observer *observer, int fd);

/* A call that may not be made beside another thread's. */
void sel__observe_thread(sel__observer *observer, const char *call);

#endif
