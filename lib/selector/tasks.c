/* SPDX-License-Identifier: MIT */
#include "selector/tasks.h"

#include <errno.h>
#include <stdlib.h>

static sel__queued *new_task(sel_task *task, void *data)
{
    sel__queued *queued = malloc(sizeof *queued);

    if (queued == NULL)
        return NULL;
    *queued = (sel__queued){.task = task, .data = data};
    return queued;
}

int sel__tasks_post(sel__tasks *tasks, sel_task *task, void *data)
{
    sel__queued *queued = new_task(task, data);
    sel__item *item;

    if (queued == NULL)
        return -ENOMEM;
    item = &queued->item;
    item->next = atomic_load_explicit(&tasks->inbox, memory_order_relaxed);
    /* GCOVR_EXCL_START: whether it repeats is a race's outcome */
    while (!atomic_compare_exchange_weak(&tasks->inbox, &item->next, item))
        continue;
    /* GCOVR_EXCL_STOP */
    return 0;
}

void sel__tasks_collect(sel__tasks *tasks)
{
    sel__item *posted = atomic_exchange(&tasks->inbox, NULL);
    sel__item *in_order = NULL;

    while (posted != NULL) {
        sel__item *next = posted->next;

        posted->next = in_order;
        in_order = posted;
        posted = next;
    }
    while (in_order != NULL) {
        sel__item *next = in_order->next;

        sel__queue_push(&tasks->queue, in_order);
        in_order = next;
    }
}

/* Behind what this thread has posted, too: its calls are run in their order. */
int sel__tasks_push(sel__tasks *tasks, sel_task *task, void *data)
{
    sel__queued *queued = new_task(task, data);

    if (queued == NULL)
        return -ENOMEM;
    if (sel__tasks_are_posted(tasks))
        sel__tasks_collect(tasks);
    sel__queue_push(&tasks->queue, &queued->item);
    return 0;
}

sel__item *sel__tasks_take(sel__tasks *tasks)
{
    sel__tasks_collect(tasks);
    return sel__queue_take(&tasks->queue);
}
