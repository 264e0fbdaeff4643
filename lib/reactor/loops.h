/* SPDX-License-Identifier: MIT */
/*
 * The services, as the files that implement them see them.
 */
#ifndef SEL_SERVICES_UV_H
#define SEL_SERVICES_UV_H

#include "base/queue.h"
#include "selector/selector.h"
#include "reactor/services.h"

#include <signal.h>
#include <uv.h>

/* A libuv loop that the selector watches by its descriptor. */
typedef struct sel__nested {
    uv_loop_t uv;
    uv_prepare_t keeper; /* what keeps uv_run() from returning at once */
    sel__services *services;
    int fd;      /* as it is registered; SEL__NO_FD: not */
    bool ready;  /* seen readable */
    bool shared; /* has handles of the program's */
    bool due;    /* shared, and to be run by sel__services_dispatch() */
    bool lost;   /* a fork could not be followed */
    bool gone;   /* the child has closed its descriptors: it must never run */
    bool inherited; /* has requests that a thread of a parent's works at */
    struct sel__nested *next; /* among those that a child has left behind */
} sel__nested;

typedef struct sel__timer sel__timer;
typedef struct sel__handler sel__handler;
typedef struct sel__job sel__job;

typedef struct sel__timers {
    sel__timer **slots;
    uint32_t length; /* of slots */
    uint64_t made;
    sel__timer *idle; /* stopped handles */
    sel__queue due;
} sel__timers;

typedef struct sel__signals {
    sel__handler *handlers[NSIG];
    sel__queue come;
} sel__signals;

typedef struct sel__jobs {
    sel__job *running; /* handed to the pool, doubly linked */
    sel__queue finished;
    bool closing;
} sel__jobs;

struct sel__services {
    sel_selector *sel;
    sel__nested *main; /* timers, signals, the program's handles */
    sel__nested *pool; /* the executor */
    sel__timers timers;
    sel__signals signals;
    sel__jobs jobs;
};

/* The services of a selector with their loop for timers and signals, or for
   jobs: made if need be. `call` is who asks. */
int sel__get_main_loop(sel_selector *sel, const char *call, sel__services **ret_services);
int sel__get_pool_loop(sel_selector *sel, const char *call, sel__services **ret_services);

static inline sel__services *sel__services_of(uv_loop_t *loop)
{
    return ((sel__nested *)loop)->services;
}

/* Queue something for the next dispatch. */
static inline void sel__record(sel__services *services, sel__queue *queue, sel__item *item)
{
    sel__queue_push(queue, item);
    services->sel->recorded++;
}

int sel__timers_dispatch(sel__services *services);
void sel__timers_free(sel__services *services);

int sel__signals_dispatch(sel__services *services);

/* Drop what has come and was not dispatched: in a forked child it is the parent's. */
void sel__signals_forget(sel__services *services);

/* In a forked child: start this selector's again. */
int sel__signals_restart(sel__services *services);

/* Stop them and give the dispositions back; free them when the loop is closed. */
void sel__signals_close(sel__services *services);
void sel__signals_free(sel__services *services);

int sel__jobs_dispatch(sel__services *services);

/* In a forked child: forget the parent's jobs.  true if there were any. */
bool sel__jobs_abandon(sel__services *services);

#endif
