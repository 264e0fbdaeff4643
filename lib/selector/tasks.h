/* SPDX-License-Identifier: MIT */
/*
 * Tasks that wait for the next pass. In the steady state nothing here allocates.
 *
 *     ring     [.][.][task][task][task][.]      first ──► count of them
 *     inbox    [task][task][.]                  what any thread has posted, under a lock
 *
 * Before every dispatch, and before it queues a task itself, the selector's thread
 * moves what was posted into its ring, so one thread's tasks stay in order. If the ring
 * is empty, the two change places. A fork in the middle of a post leaves the child's
 * inbox whole: every change takes effect by a single store.
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

/*
 * Make the lock: the first time, or again in a forked child, where one of the parent's
 * threads may have held it.
 */
void sel__tasks_open(sel__tasks *tasks);
void sel__tasks_free(sel__tasks *tasks);

/*
 * Put a task into the inbox, from any thread. Returns 1 if it is the first there: the
 * caller counts as a sender from then on, and must wake the selector. Else 0 or -ENOMEM,
 * and the caller may no longer touch the selector, which may have been closed.
 */
int sel__tasks_post(sel__tasks *tasks, sel__call call, sel__wakeup *wakeup);

/*
 * Move the inbox to the ring. Returns 0, or -ENOMEM: then everything stays in the inbox
 * and still runs later.
 */
int sel__tasks_collect(sel__tasks *tasks);

/* Take the first task; there must be one. */
static inline sel__call sel__tasks_pop(sel__tasks *tasks)
{
    sel__call call = tasks->ring->calls[tasks->first];

    tasks->first = (tasks->first + 1) & tasks->mask;
    tasks->count--;
    return call;
}

/* Is there anything in the inbox? A thread always sees what it has put there itself. */
static inline bool sel__tasks_in_inbox(const sel__tasks *tasks)
{
    return atomic_load_explicit(&tasks->posted, memory_order_relaxed) > 0;
}

/* Not a count: 0 if there are none in the ring and the inbox, else any other number. */
static inline unsigned sel__tasks_waiting(const sel__tasks *tasks)
{
    return tasks->count | atomic_load_explicit(&tasks->posted, memory_order_relaxed);
}

/* Needs room in the ring. */
static inline void sel__tasks_put(sel__tasks *tasks, sel__call call)
{
    tasks->ring->calls[(tasks->first + tasks->count++) & tasks->mask] = call;
}

/* For when the ring is full, or the inbox is not empty. */
int sel__tasks_push_slowly(sel__tasks *tasks, sel__call call);

/* Put a task behind the others. Returns 0 or -ENOMEM. */
static inline int sel__tasks_push(sel__tasks *tasks, sel__call call)
{
    if (tasks->count == tasks->capacity || sel__tasks_in_inbox(tasks))
        return sel__tasks_push_slowly(tasks, call);
    sel__tasks_put(tasks, call);
    return 0;
}

#endif
