/* SPDX-License-Identifier: MIT */
#include "selector/tasks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST = 16 };

/* --- the ring --- */

/* What stood before the end of the old one may go on at its beginning. */
static int widen(sel__tasks *tasks)
{
    uint32_t before = tasks->capacity;
    uint32_t after = before > 0 ? 2 * before : LEAST;
    sel__call *ring = realloc(tasks->ring, after * sizeof *ring);

    if (ring == NULL)
        return -ENOMEM;
    if (tasks->first > 0)
        memcpy(ring + before, ring, tasks->first * sizeof *ring);
    tasks->ring = ring;
    tasks->capacity = after;
    return 0;
}

sel__call sel__tasks_pop(sel__tasks *tasks)
{
    sel__call call = tasks->ring[tasks->first];

    tasks->first = (tasks->first + 1) & (tasks->capacity - 1);
    tasks->count--;
    return call;
}

/* --- what is posted --- */

static sel__posted *make_posted(sel__call call)
{
    sel__posted *posted = malloc(sizeof *posted);

    if (posted != NULL)
        *posted = (sel__posted){.call = call};
    return posted;
}

static void append(sel__tasks *tasks, sel__posted *posted)
{
    posted->next = NULL;
    if (tasks->posted == NULL)
        tasks->posted = posted;
    else
        tasks->last_posted->next = posted;
    tasks->last_posted = posted;
    tasks->posted_count++;
}

int sel__tasks_post(sel__tasks *tasks, sel__call call)
{
    sel__posted *posted = make_posted(call);

    if (posted == NULL)
        return -ENOMEM;
    posted->next = atomic_load_explicit(&tasks->inbox, memory_order_relaxed);
    /* GCOVR_EXCL_START: whether it repeats is a race's outcome */
    while (!atomic_compare_exchange_weak(&tasks->inbox, &posted->next, posted))
        continue;
    /* GCOVR_EXCL_STOP */
    return 0;
}

void sel__tasks_collect(sel__tasks *tasks)
{
    sel__posted *newest = atomic_exchange(&tasks->inbox, NULL);
    sel__posted *oldest = NULL;

    while (newest != NULL) {
        sel__posted *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        sel__posted *next = oldest->next;

        append(tasks, oldest);
        oldest = next;
    }
}

sel__call sel__tasks_pop_posted(sel__tasks *tasks)
{
    sel__posted *posted = tasks->posted;
    sel__call call = posted->call;

    tasks->posted = posted->next;
    tasks->posted_count--;
    free(posted);
    return call;
}

/* --- both --- */

static int push_behind_posted(sel__tasks *tasks, sel__call call)
{
    sel__posted *posted = make_posted(call);

    if (posted == NULL)
        return -ENOMEM;
    sel__tasks_collect(tasks);
    append(tasks, posted);
    return 0;
}

int sel__tasks_push(sel__tasks *tasks, sel__call call)
{
    int error;

    if (tasks->posted_count > 0 || sel__tasks_in_inbox(tasks))
        return push_behind_posted(tasks, call);
    error = tasks->count == tasks->capacity ? widen(tasks) : 0;
    if (error < 0)
        return error;
    tasks->ring[(tasks->first + tasks->count++) & (tasks->capacity - 1)] = call;
    return 0;
}

void sel__tasks_free(sel__tasks *tasks)
{
    sel__tasks_collect(tasks);
    while (tasks->posted_count > 0)
        sel__tasks_pop_posted(tasks);
    free(tasks->ring);
}
