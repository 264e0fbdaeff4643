/* SPDX-License-Identifier: MIT */
/*
 * What a selector may have of the room above it, and how that is called.
 *
 * Services are the reactor's signal handlers, jobs and handles; an attachment is
 * the loop of the program's that runs the selector. Both are made by the room above when
 * they are first asked for, and never in a build without libuv.
 */
#ifndef SEL_SERVICES_H
#define SEL_SERVICES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct sel__services sel__services;

typedef struct sel__services_table {
    /*
     * Record what is due. On a loop that carries the program's own handles this would
     * call them, so there it waits for dispatch().
     */
    void (*collect)(sel__services *services);

    /* When the next timer of the program's on that loop is due, or SEL__FOREVER. */
    int64_t (*due)(sel__services *services);

    /* Run signal handlers, then results; returns how many. */
    int (*dispatch)(sel__services *services);

    /* Is there a signal handler, a job or an active handle? */
    bool (*are_alive)(sel__services *services);

    /* First of all in a forked child: what has it closed the descriptors of? */
    void (*check)(sel__services *services);

    /* Follow a fork; after a failure it may be called again. */
    int (*after_fork)(sel__services *services);

    /* Cancel the jobs that have not started, wait for the rest, call every `done`. */
    void (*end_jobs)(sel__services *services);

    /* `forked`: leave the parent's alone. */
    void (*close)(sel__services *services, bool forked);
} sel__services_table;

/* Each is the beginning of what the room above makes. */
struct sel__services {
    const sel__services_table *table;
};

typedef struct sel__attachment {
    /* Something has come to wait for. */
    void (*revive)(struct sel__attachment *attachment);

    /* The selector is closed. */
    void (*detach)(struct sel__attachment *attachment);
} sel__attachment;

#endif
