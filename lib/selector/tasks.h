/* SPDX-License-Identifier: MIT */
/*
 * Tasks that wait for the next pass. In the steady state none of this allocates.
 *
 *     ring     [.][.][task][task][task][.]      first ──► count of them
 *     inbox    [task][task][.]                  what any thread has posted, under a lock
 *
 * The selector's thread takes what is posted over into its ring, before every dispatch and
 * before it queues one behind, so one thread's tasks stay in their order; where its ring is
 * empty the two change places. A fork in the middle of a post leaves the child's inbox
 * whole: each change shows by one store.
 */
#ifndef SEL_TASKS_H
#define SEL_TASKS_H

#include "selector/wakeup.h"

#include <selkie/reactor.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    sel_task *task;
    void *data;
} sel__call;

typedef struct sel__ring {
    uint32_t capacity; /* a power of two */
    sel__call calls[];
} sel__ring;

typedef struct sel__tasks {
    sel__ring *ring;
    uint32_t first;
    uint32_t capacity; /* of the ring, or 0 */
    uint32_t mask;     /* capacity - 1 */
    uint32_t count;
    atomic_uint posted; /* how many are in the inbox */
    sel__ring *inbox;
    pthread_mutex_t lock; /* of the inbox */
} sel__tasks;

/* Make the lock: of none, or anew in a forked child, where a thread of the parent's may
   have it. */
void sel__tasks_open(sel__tasks *tasks);
void sel__tasks_free(sel__tasks *tasks);

/* Put a task into the inbox, from any thread. 1 if it is the first in it: a sender has
   begun, and is to wake the selector. Else 0, or -ENOMEM. */
int sel__tasks_post(sel__tasks *tasks, sel__call call, sel__wakeup *wakeup);

/* Empty the inbox. 0, or -ENOMEM: then all stays there, and is still to run. */
int sel__tasks_collect(sel__tasks *tasks);

/* Take the first: there is one. */
static inline sel__call sel__tasks_pop(sel__tasks *tasks)
{
    sel__call call = tasks->ring->calls[tasks->first];

    tasks->first = (tasks->first + 1) & tasks->mask;
    tasks->count--;
    return call;
}

/* Is there anything in the inbox?  Of what this thread has put there it is certain. */
static inline bool sel__tasks_in_inbox(const sel__tasks *tasks)
{
    return atomic_load_explicit(&tasks->posted, memory_order_relaxed) > 0;
}

/* 0 where there are none, in the ring or the inbox. */
static inline unsigned sel__tasks_waiting(const sel__tasks *tasks)
{
    return tasks->count | atomic_load_explicit(&tasks->posted, memory_order_relaxed);
}

/* The ring has room. */
static inline void sel__tasks_put(sel__tasks *tasks, sel__call call)
{
    tasks->ring->calls[(tasks->first + tasks->count++) & tasks->mask] = call;
}

/* Where the ring is full or not the end of the queue. */
int sel__tasks_push_slowly(sel__tasks *tasks, sel__call call);

/* Put a task behind the others.  0 or -ENOMEM. */
static inline int sel__tasks_push(sel__tasks *tasks, sel__call call)
{
    if (tasks->count == tasks->capacity || sel__tasks_in_inbox(tasks))
        return sel__tasks_push_slowly(tasks, call);
    sel__tasks_put(tasks, call);
    return 0;
}

#endif
