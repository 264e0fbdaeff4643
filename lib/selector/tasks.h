/* SPDX-License-Identifier: MIT */
/*
 * Tasks that wait for the next pass: a ring of those that the selector's thread has queued,
 * which in the steady state allocates nothing, and behind it what was posted.
 *
 *     ring     [.][.][task][task][task][.]      first ──► count of them
 *     posted   task ──► task ──► task           each of its own memory, in order
 *     inbox    task ◄── task                    any thread's, the newest first
 *
 * The inbox is a stack that threads push to and the selector's thread takes as a whole and
 * turns round, so one thread's tasks stay in their order. It needs no lock, and a fork in
 * the middle of a push leaves it whole. While anything is posted, the selector's own thread
 * queues behind that, too.
 */
#ifndef SEL_TASKS_H
#define SEL_TASKS_H

#include <selkie/reactor.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    sel_task *task;
    void *data;
} sel__call;

typedef struct sel__posted {
    struct sel__posted *next;
    sel__call call;
} sel__posted;

typedef struct sel__tasks {
    sel__call *ring;
    uint32_t first;
    uint32_t count;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t posted_count;
    sel__posted *posted;
    sel__posted *last_posted;
    _Atomic(sel__posted *) inbox;
} sel__tasks;

/* Put a task behind the others.  0 or -ENOMEM. */
int sel__tasks_push(sel__tasks *tasks, sel__call call);

/* Put a task into the inbox, from any thread.  0 or -ENOMEM. */
int sel__tasks_post(sel__tasks *tasks, sel__call call);

/* Empty the inbox: what was in it is posted. */
void sel__tasks_collect(sel__tasks *tasks);

/* Take the first of the ring, or of the posted: there is one. */
sel__call sel__tasks_pop(sel__tasks *tasks);
sel__call sel__tasks_pop_posted(sel__tasks *tasks);

void sel__tasks_free(sel__tasks *tasks);

/* Is there anything in the inbox?  Of what this thread has put there it is certain. */
static inline bool sel__tasks_in_inbox(sel__tasks *tasks)
{
    return atomic_load_explicit(&tasks->inbox, memory_order_relaxed) != NULL;
}

/* Is there anything for the next pass, the inbox aside? */
static inline bool sel__tasks_queued(const sel__tasks *tasks)
{
    return tasks->count + tasks->posted_count > 0;
}

static inline bool sel__tasks_exist(sel__tasks *tasks)
{
    return sel__tasks_queued(tasks) || sel__tasks_in_inbox(tasks);
}

#endif
