/* SPDX-License-Identifier: MIT */
/*
 * asyncio's readers and writers. A descriptor's reader and writer share one key, whose
 * data they are; the key is watched for READ if there is a reader and for WRITE if
 * there is a writer.
 */
#include "reactor/readers.h"

#include <selkie/reactor.h>

#include "selector/call.h"
#include "selector/selector.h"

#include <stdlib.h>

typedef struct {
    sel_task *task;
    void *data;
    uint64_t pass; /* that it was added in; what its wait found was not for this one */
} handle;

typedef struct {
    handle reader;
    handle writer;
} handles;

static handle *handle_for(handles *both, int event)
{
    return event == SEL_EVENT_READ ? &both->reader : &both->writer;
}

/* --- calling them --- */

static void run(sel_selector *sel, int fd, const handle *self, const char *kind)
{
    if (self->pass != sel->passes)
        sel__call_task_of(sel, fd, self->task, self->data, kind);
}

/*
 * Whatever the reader removes also leaves `key`, which is looked at again before the
 * writer.
 */
void sel__call_handles(sel_selector *sel, const sel_key *key, int mask)
{
    const handles *both = key->data;

    if (mask & SEL_EVENT_READ)
        run(sel, key->fd, &both->reader, "reader");
    if ((mask & key->events & SEL_EVENT_WRITE) && !sel__is_foreign(sel))
        run(sel, key->fd, &both->writer, "writer");
}

/* --- adding and removing --- */

static int add_first(sel_selector *sel, int fd, int event, handle added)
{
    sel_key key = {.fd = fd, .events = event, .callback = sel__call_handles};
    handles *both = calloc(1, sizeof *both);
    int error;

    if (both == NULL)
        return -ENOMEM;
    *handle_for(both, event) = added;
    key.data = both;
    error = sel__register(sel, &key);
    if (error < 0)
        free(both);
    return error;
}

static void watch(sel_selector *sel, sel__entry *entry, int fd, int events)
{
    sel_key key = {.fd = fd, .events = events, .callback = entry->callback,
                   .data = entry->data};

    sel__change(sel, entry, &key);
}

/* A key of a file that the number no longer stands for is replaced. */
static int add(sel_selector *sel, const char *call, int fd, int event, handle added)
{
    int error = sel__enter(sel, call);
    sel__entry *entry;

    if (error == 0 && (added.task == NULL || fd < 0))
        error = -EINVAL;
    if (error < 0)
        return error;
    added.pass = sel->passes;
    entry = sel__find_current(sel, fd);
    if (entry == NULL)
        return add_first(sel, fd, event, added);
    if (entry->callback != sel__call_handles)
        return -EEXIST;
    *handle_for(entry->data, event) = added;
    watch(sel, entry, fd, entry->events | event);
    return 0;
}

static int drop(sel_selector *sel, const char *call, int fd, int event)
{
    int error = sel__enter(sel, call);
    sel__entry *entry;

    if (error == 0 && fd < 0)
        error = -EINVAL;
    if (error < 0)
        return error;
    entry = sel__table_find(&sel->table, fd);
    if (entry == NULL || entry->callback != sel__call_handles || !(entry->events & event))
        return -ENOENT;
    if (entry->events == event)
        sel__forget_key(sel, entry, fd);
    else
        watch(sel, entry, fd, entry->events & ~event);
    return 0;
}

int sel_add_reader(sel_selector *sel, int fd, sel_task *task, void *data)
{
    return add(sel, __func__, fd, SEL_EVENT_READ, (handle){.task = task, .data = data});
}

int sel_add_writer(sel_selector *sel, int fd, sel_task *task, void *data)
{
    return add(sel, __func__, fd, SEL_EVENT_WRITE, (handle){.task = task, .data = data});
}

int sel_remove_reader(sel_selector *sel, int fd)
{
    return drop(sel, __func__, fd, SEL_EVENT_READ);
}

int sel_remove_writer(sel_selector *sel, int fd)
{
    return drop(sel, __func__, fd, SEL_EVENT_WRITE);
}
