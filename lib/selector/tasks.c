/* SPDX-License-Identifier: MIT */
#include "selector/tasks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST = 16 };

struct sel__inbox {
    uint32_t capacity;
    sel__call calls[];
};

void sel__tasks_open(sel__tasks *tasks)
{
    pthread_mutex_init(&tasks->lock, NULL);
}

void sel__tasks_follow_fork(sel__tasks *tasks)
{
    pthread_mutex_init(&tasks->lock, NULL);
}

void sel__tasks_free(sel__tasks *tasks)
{
    free(tasks->calls);
    free(tasks->inbox);
    pthread_mutex_destroy(&tasks->lock);
}

/* --- the ring --- */

/* What stood before the end of the old one may go on at its beginning. */
static inline int make_room(sel__tasks *tasks, uint32_t wanted)
{
    uint32_t before = tasks->capacity;
    uint32_t after = before > 0 ? before : LEAST;
    sel__call *calls;

    if (wanted <= before)
        return 0;
    while (after < wanted)
        after *= 2;
    calls = realloc(tasks->calls, after * sizeof *calls);
    if (calls == NULL)
        return -ENOMEM;
    if (tasks->first + tasks->count > before)
        memcpy(calls + before, calls, (tasks->first + tasks->count - before) * sizeof *calls);
    tasks->calls = calls;
    tasks->capacity = after;
    return 0;
}

/* What other threads post meanwhile stays in the inbox: it need not come before this. */
int sel__tasks_push_slowly(sel__tasks *tasks, sel__call call)
{
    int error = sel__tasks_collect(tasks);

    if (error == 0)
        error = make_room(tasks, tasks->count + 1);
    if (error == 0)
        sel__tasks_put(tasks, call);
    return error;
}

/* --- the inbox --- */

static int widen(sel__tasks *tasks, uint32_t count)
{
    sel__inbox *narrow = tasks->inbox;
    uint32_t capacity = narrow != NULL ? 2 * narrow->capacity : LEAST;
    sel__inbox *wide = malloc(sizeof *wide + capacity * sizeof *wide->calls);

    if (wide == NULL)
        return -ENOMEM;
    wide->capacity = capacity;
    if (narrow != NULL)
        memcpy(wide->calls, narrow->calls, count * sizeof *wide->calls);
    tasks->inbox = wide;
    free(narrow);
    return 0;
}

int sel__tasks_post(sel__tasks *tasks, sel__call call)
{
    uint32_t count;
    int error = 0;

    pthread_mutex_lock(&tasks->lock);
    count = atomic_load_explicit(&tasks->posted, memory_order_relaxed);
    if (tasks->inbox == NULL || count == tasks->inbox->capacity)
        error = widen(tasks, count);
    if (error == 0) {
        tasks->inbox->calls[count] = call;
        atomic_store_explicit(&tasks->posted, count + 1, memory_order_release);
    }
    pthread_mutex_unlock(&tasks->lock);
    return error;
}

static void take_over(sel__tasks *tasks, const sel__call *calls, uint32_t count)
{
    uint32_t end = (tasks->first + tasks->count) & (tasks->capacity - 1);
    uint32_t until_edge = tasks->capacity - end;
    uint32_t straight = count < until_edge ? count : until_edge;

    memcpy(tasks->calls + end, calls, straight * sizeof *calls);
    memcpy(tasks->calls, calls + straight, (count - straight) * sizeof *calls);
    tasks->count += count;
}

int sel__tasks_collect(sel__tasks *tasks)
{
    uint32_t count;
    int error;

    if (!sel__tasks_in_inbox(tasks))
        return 0;
    pthread_mutex_lock(&tasks->lock);
    count = atomic_load_explicit(&tasks->posted, memory_order_relaxed);
    error = make_room(tasks, tasks->count + count);
    if (error == 0) {
        take_over(tasks, tasks->inbox->calls, count);
        atomic_store_explicit(&tasks->posted, 0, memory_order_relaxed);
    }
    pthread_mutex_unlock(&tasks->lock);
    return error;
}
