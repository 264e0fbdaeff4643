/* SPDX-License-Identifier: MIT */
/*
 * Tasks that wait for the next pass: a queue of the selector's thread, and an
 * inbox for every other.
 *
 * The inbox is a stack that threads push to and the dispatching thread takes as
 * a whole and turns round, so one thread's tasks stay in their order. It needs
 * no lock, and a fork in the middle of a push leaves it whole.
 */
#ifndef SEL_TASKS_H
#define SEL_TASKS_H

#include "base/queue.h"

#include <selkie/reactor.h>

#include <stdatomic.h>
#include <stdbool.h>

typedef struct sel__queued {
    sel__item item;
    sel_task *task;
    void *data;
} sel__queued;

typedef struct sel__tasks {
    sel__queue queue;
    _Atomic(sel__item *) inbox;
} sel__tasks;

/* Put a task behind the others.  0 or -ENOMEM. */
int sel__tasks_push(sel__tasks *tasks, sel_task *task, void *data);

/* Put a task into the inbox, from any thread.  0 or -ENOMEM. */
int sel__tasks_post(sel__tasks *tasks, sel_task *task, void *data);

/* Empty the inbox into the queue. */
void sel__tasks_collect(sel__tasks *tasks);

/* Empty the inbox, then the queue; the first of all tasks. */
sel__item *sel__tasks_take(sel__tasks *tasks);

/* Is there anything in the inbox?  Of what this thread has put there it is certain. */
static inline bool sel__tasks_are_posted(sel__tasks *tasks)
{
    return atomic_load_explicit(&tasks->inbox, memory_order_relaxed) != NULL;
}

static inline bool sel__tasks_exist(sel__tasks *tasks)
{
    return tasks->queue.first != NULL || sel__tasks_are_posted(tasks);
}

#endif
