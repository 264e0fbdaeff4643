/* SPDX-License-Identifier: MIT */
/*
 * The reactor's services, as the files that implement them see them.
 */
#ifndef SEL_REACTOR_SERVICES_H
#define SEL_REACTOR_SERVICES_H

#include "base/queue.h"
#include "reactor/loops.h"
#include "selector/selector.h"
#include "selector/services.h"

#include <signal.h>
#include <uv.h>

typedef struct sel__handler sel__handler;
typedef struct sel__job sel__job;

typedef struct sel__signals {
    sel__handler *handlers[NSIG];
    sel__queue come;
} sel__signals;

typedef struct sel__jobs {
    sel__job *running; /* handed to the pool; doubly linked */
    sel__queue finished;
    bool closing;
} sel__jobs;

typedef struct sel__reactor {
    sel__services services; /* first: all that the selector sees of it */
    sel_selector *sel;
    sel__nested *main; /* signals and the program's handles */
    sel__nested *pool; /* the executor */
    sel__signals signals;
    sel__jobs jobs;
} sel__reactor;

/* A selector's reactor, or NULL. */
static inline sel__reactor *sel__reactor_of(const sel_selector *sel)
{
    return (sel__reactor *)sel->services;
}

/*
 * Get a selector's reactor, with its loop for signals and handles, or the one for jobs;
 * either is made if need be. `call` is the name of the caller.
 */
int sel__get_main_loop(sel_selector *sel, const char *call, sel__reactor **ret_reactor);
int sel__get_pool_loop(sel_selector *sel, const char *call, sel__reactor **ret_reactor);

/* Whose loop a libuv callback comes from. */
static inline sel__reactor *sel__reactor_on(uv_loop_t *loop)
{
    return ((sel__nested *)loop)->reactor;
}

/* Queue something for the next dispatch. */
static inline void sel__record(sel__reactor *reactor, sel__queue *queue, sel__item *item)
{
    sel__queue_push(queue, item);
    reactor->sel->recorded++;
}

int sel__signals_dispatch(sel__reactor *reactor);

/*
 * Drop signals that have arrived and were not dispatched: in a forked child they are
 * the parent's.
 */
void sel__signals_forget(sel__reactor *reactor);

/* In a forked child: start this selector's handlers again. */
int sel__signals_restart(sel__reactor *reactor);

/*
 * Stop the handlers and restore the dispositions; free the handlers once the loop is
 * closed.
 */
void sel__signals_close(sel__reactor *reactor);
void sel__signals_free(sel__reactor *reactor);

int sel__jobs_dispatch(sel__reactor *reactor);

/* Cancel the jobs that have not started, wait for the rest, call every `done`. */
void sel__jobs_end(sel__reactor *reactor);

/* In a forked child: forget the parent's jobs. Returns whether any were running. */
bool sel__jobs_abandon(sel__reactor *reactor);

#endif
