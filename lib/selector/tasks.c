/* SPDX-License-Identifier: MIT */
#include "selector/tasks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST = 16 };

void sel__tasks_open(sel__tasks *tasks)
{
    pthread_mutex_init(&tasks->lock, NULL);
}

void sel__tasks_free(sel__tasks *tasks)
{
    free(tasks->ring);
    free(tasks->inbox);
    pthread_mutex_destroy(&tasks->lock);
}

/* --- the ring --- */

static inline size_t size_of_ring(uint32_t capacity)
{
    return sizeof(sel__ring) + capacity * sizeof(sel__call);
}

static inline void use_ring(sel__tasks *tasks, sel__ring *ring)
{
    tasks->ring = ring;
    tasks->capacity = ring->capacity;
    tasks->mask = ring->capacity - 1;
}

/* What had wrapped round to the start of the old ring is moved behind its end. */
static inline int make_room(sel__tasks *tasks, uint32_t wanted)
{
    uint32_t before = tasks->capacity;
    uint32_t after = before > 0 ? before : LEAST;
    uint32_t end = tasks->first + tasks->count;
    sel__ring *ring;

    if (wanted <= before)
        return 0;
    while (after < wanted)
        after *= 2;
    ring = realloc(tasks->ring, size_of_ring(after));
    if (ring == NULL)
        return -ENOMEM;
    if (end > before)
        memcpy(ring->calls + before, ring->calls, (end - before) * sizeof *ring->calls);
    ring->capacity = after;
    use_ring(tasks, ring);
    return 0;
}

/*
 * The inbox first, so that one thread's tasks stay in order. What other threads post
 * meanwhile stays there: it need not come before this task.
 */
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
    sel__ring *narrow = tasks->inbox;
    uint32_t capacity = narrow != NULL ? 2 * narrow->capacity : LEAST;
    sel__ring *wide = malloc(size_of_ring(capacity));

    if (wide == NULL)
        return -ENOMEM;
    wide->capacity = capacity;
    if (narrow != NULL)
        memcpy(wide->calls, narrow->calls, count * sizeof *wide->calls);
    tasks->inbox = wide;
    free(narrow);
    return 0;
}

int sel__tasks_post(sel__tasks *tasks, sel__call call, sel__wakeup *wakeup)
{
    uint32_t count;
    int error = 0;

    pthread_mutex_lock(&tasks->lock);
    count = atomic_load_explicit(&tasks->posted, memory_order_relaxed);
    if (tasks->inbox == NULL || count == tasks->inbox->capacity)
        error = widen(tasks, count);
    if (error == 0) {
        if (count == 0)
            sel__wakeup_begin(wakeup);
        tasks->inbox->calls[count] = call;
        atomic_store_explicit(&tasks->posted, count + 1, memory_order_release);
    }
    pthread_mutex_unlock(&tasks->lock);
    return error < 0 ? error : count == 0;
}

static void change_places(sel__tasks *tasks, uint32_t count)
{
    sel__ring *empty = tasks->ring;

    use_ring(tasks, tasks->inbox);
    tasks->first = 0;
    tasks->count = count;
    tasks->inbox = empty;
}

static void append(sel__tasks *tasks, const sel__call *calls, uint32_t count)
{
    uint32_t end = (tasks->first + tasks->count) & tasks->mask;
    uint32_t until_edge = tasks->capacity - end;
    uint32_t straight = count < until_edge ? count : until_edge;

    memcpy(tasks->ring->calls + end, calls, straight * sizeof *calls);
    memcpy(tasks->ring->calls, calls + straight, (count - straight) * sizeof *calls);
    tasks->count += count;
}

static int take_over(sel__tasks *tasks, uint32_t count)
{
    if (tasks->count == 0) {
        change_places(tasks, count);
        return 0;
    }
    if (make_room(tasks, tasks->count + count) < 0)
        return -ENOMEM;
    append(tasks, tasks->inbox->calls, count);
    return 0;
}

int sel__tasks_collect(sel__tasks *tasks)
{
    int error;

    if (!sel__tasks_in_inbox(tasks))
        return 0;
    pthread_mutex_lock(&tasks->lock);
    error = take_over(tasks, atomic_load_explicit(&tasks->posted, memory_order_relaxed));
    if (error == 0)
        atomic_store_explicit(&tasks->posted, 0, memory_order_relaxed);
    pthread_mutex_unlock(&tasks->lock);
    return error;
}
