/* SPDX-License-Identifier: MIT */
/*
 * What a selector may get from the room above, and how it is called.
 *
 * Services are the reactor's signal handlers, jobs and handles; an attachment is the
 * program's loop that runs the selector. The room above makes them when they are first
 * asked for, and never in a build without libuv.
 */
#ifndef SEL_SERVICES_H
#define SEL_SERVICES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct sel__services sel__services;

typedef struct sel__services_table {
    /*
     * Record what is due. On a loop that has handles of the program's this would call
     * them, so there it is left to dispatch().
     */
    void (*collect)(sel__services *services);

    /* When the program's next timer on that loop is due, or SEL__FOREVER. */
    int64_t (*due)(sel__services *services);

    /*
     * Run handles that are due, then signal handlers, then results. Returns how many
     * signal handlers and results were called.
     */
    int (*dispatch)(sel__services *services);

    /* Is there a signal handler, a job or an active handle? */
    bool (*are_alive)(sel__services *services);

    /* First thing in a forked child: notice what it has closed. */
    void (*check)(sel__services *services);

    /* Follow a fork; after a failure it may be called again. */
    int (*after_fork)(sel__services *services);

    /* Cancel the jobs that have not started, wait for the rest, call every `done`. */
    void (*end_jobs)(sel__services *services);

    /* `forked`: leave what is the parent's alone. */
    void (*close)(sel__services *services, bool forked);
} sel__services_table;

/* The room above makes structs that begin with this. */
struct sel__services {
    const sel__services_table *table;
};

typedef struct sel__attachment {
    /* There is something new to wait for. */
    void (*revive)(struct sel__attachment *attachment);

    /* The selector is being closed. */
    void (*detach)(struct sel__attachment *attachment);
} sel__attachment;

#endif
