/* SPDX-License-Identifier: MIT */
/*
 * What watches a selector: statistics that were asked for, the debug mode and the
 * trace. sel->observer is NULL if there is none of them.
 */
#ifndef SEL_OBSERVER_H
#define SEL_OBSERVER_H

#include <selkie/debug.h>

#include <stdbool.h>
#include <stdint.h>

typedef struct sel__observer sel__observer;

/* Any function, only to be named, never called. */
typedef void sel__function(void);

/*
 * Make an observer if there is none; the second call does so only if the environment
 * asks for one. Returns 0 or -ENOMEM.
 */
int sel__observer_open(sel__observer **observer);
int sel__observer_from_environment(sel__observer **observer);
void sel__observer_close(sel__observer *observer);

/* Is the debug mode on? */
bool sel__observer_debugs(const sel__observer *observer);

/* Fill in the times of sel_stats. */
void sel__observer_times(const sel__observer *observer, sel_stats *ret_stats);

/* A wait begins, with the pairs of the last one; a wait has ended, with its own. */
void sel__observe_wait(sel__observer *observer, const sel_ready *pairs, uint32_t count);
void sel__observe_waited(sel__observer *observer, const sel_ready *pairs, uint32_t count);

/* A dispatch begins; it has ended. */
void sel__observe_dispatch(sel__observer *observer);
void sel__observe_dispatched(sel__observer *observer);

/* One of the program's functions is about to be called; it has returned. */
void sel__observe_begin(sel__observer *observer);
void sel__observe_end(sel__observer *observer, const char *kind, int fd, sel__function *function);

/*
 * In debug mode: how many bytes could be read before a callback, and, after it, whether
 * it has read any of them.
 */
int sel__observe_unread(sel__observer *observer, int fd);
void sel__observe_read(sel__observer *observer, int fd, int unread);

/* A key was removed: its number may become another file's. */
void sel__observe_removed(sel__observer *observer, int fd);

/* A registered descriptor was found closed or replaced. */
void sel__observe_gone(sel__observer *observer, int fd);

/* A call begins that must not run while another thread is inside the selector. */
void sel__observe_thread(sel__observer *observer, const char *call);

/* In a child that follows its parent: whoever is inside is the parent's thread. */
void sel__observe_fork(sel__observer *observer);

#endif
