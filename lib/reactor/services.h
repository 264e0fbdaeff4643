/* SPDX-License-Identifier: MIT */
/*
 * What the reactor has of libuv: timers, signal handlers and the executor.
 *
 * They live on libuv loops of their own, which the selector watches, on any
 * backend, as ordinary descriptors and never sleeps in. The loops' callbacks
 * only record; sel_dispatch() runs what they recorded. A 0 ms timer that starts
 * itself anew can so never keep uv_run() from returning.
 *
 * Everything is made on first use: sel->services is NULL until then. A build
 * without libuv has services_none.c in the place of all this.
 */
#ifndef SEL_SERVICES_H
#define SEL_SERVICES_H

#include <selkie/reactor.h>

#include <stdbool.h>
#include <stdint.h>

struct uv_loop_s;

typedef struct sel__services sel__services;

/* The selector saw this descriptor of the services' readable. */
void sel__services_ready(sel__services *services, int fd);

/*
 * Record what is due. On a loop that carries the program's own handles this
 * would call them, so there it waits for sel__services_dispatch().
 */
void sel__services_collect(sel__services *services);

/* Nanoseconds until the next timer, SEL__FOREVER without one. */
int64_t sel__services_sleep(const sel__services *services);

/* Run due timers, then signal handlers, then results; returns how many. */
int sel__services_dispatch(sel__services *services);

/* Is there a timer, a signal handler, a job or an active handle? */
bool sel__services_are_alive(sel__services *services);

/* Is this the loop of sel_loop()? */
bool sel__services_own(const sel__services *services, const struct uv_loop_s *loop);

/* First of all in a forked child: which loops has it closed the descriptors of? */
void sel__services_check(sel__services *services);

/* Follow a fork; after a failure it may be called again. */
int sel__services_after_fork(sel__services *services);

/* Cancel the jobs that have not started, wait for the rest, call every `done`. */
void sel__services_end_jobs(sel__services *services);

/* `forked`: leave the parent's alone. */
void sel__services_close(sel__services *services, bool forked);

#endif
