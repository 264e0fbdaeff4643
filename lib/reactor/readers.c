/* SPDX-License-Identifier: MIT */
/*
 * asyncio's readers and writers, above the selector's own calls: one key for both of a
 * descriptor's, whose data they are.
 */
#include <selkie/reactor.h>

#include "selector/call.h"
#include "selector/selector.h"

#include <stdlib.h>

typedef struct {
    sel_task *task; /* NULL: there is none */
    void *data;
    uint64_t pass; /* that it was added in: what that wait has found was another's */
} handle;

typedef struct {
    handle reader;
    handle writer;
} handles;

static handle *handle_for(handles *both, int event)
{
    return event == SEL_EVENT_READ ? &both->reader : &both->writer;
}

static void run(sel_selector *sel, const handle *self, const char *kind)
{
    handle added = *self; /* its task may remove it */

    if (added.task != NULL && added.pass != sel->passes)
        sel__call_task(sel, added.task, added.data, kind);
}

/* The key has no callback any more when the reader has removed both. */
static void on_ready(sel_selector *sel, const sel_key *key, int mask)
{
    const handles *both = key->data;

    if (mask & SEL_EVENT_READ)
        run(sel, &both->reader, "reader");
    if ((mask & SEL_EVENT_WRITE) && !sel__is_foreign(sel) && key->callback != NULL)
        run(sel, &both->writer, "writer");
}

/* The entry of a descriptor that has a reader or a writer, or NULL. */
static sel__entry *find(const sel_selector *sel, int fd)
{
    sel__entry *entry = fd >= 0 ? sel__table_find(&sel->table, fd) : NULL;

    return entry != NULL && entry->callback == on_ready ? entry : NULL;
}

static int add_first(sel_selector *sel, int fd, int event, handle added)
{
    handles *both = calloc(1, sizeof *both);
    int error;

    if (both == NULL)
        return -ENOMEM;
    *handle_for(both, event) = added;
    sel->reader_callback = on_ready;
    error = sel_register(sel, fd, event, on_ready, both);
    if (error < 0)
        free(both);
    return error;
}

/* -EBADF where the number is another file by now: the key is gone, or it is removed. */
static int add_to(sel_selector *sel, sel__entry *entry, int fd, int event, handle added)
{
    handles *both = entry->data;
    int error = 0;

    if (!(entry->events & event))
        error = sel__modify(sel, entry, fd, entry->events | event, on_ready, both);
    else if ((entry->flags & SEL__GONE) || !sel__check(sel, fd))
        error = -EBADF;
    if (error == 0)
        *handle_for(both, event) = added;
    return error;
}

static int add(sel_selector *sel, const char *call, int fd, int event, handle added)
{
    int error = sel__enter(sel, call);
    sel__entry *entry;

    if (error == 0 && (added.task == NULL || fd < 0))
        error = -EINVAL;
    if (error < 0)
        return error;
    added.pass = sel->passes;
    entry = find(sel, fd);
    error = entry != NULL ? add_to(sel, entry, fd, event, added) : -EBADF;
    return error == -EBADF ? add_first(sel, fd, event, added) : error;
}

static int drop(sel_selector *sel, const char *call, int fd, int event)
{
    int error = sel__enter(sel, call);
    sel__entry *entry = error == 0 ? find(sel, fd) : NULL;
    int left;

    if (error == 0 && fd < 0)
        error = -EINVAL;
    if (error < 0)
        return error;
    if (entry == NULL || !(entry->events & event))
        return -ENOENT;
    left = entry->events & ~event;
    if (left == 0)
        return sel_unregister(sel, fd);
    *handle_for(entry->data, event) = (handle){0};
    if (entry->flags & SEL__GONE)
        entry->events = (uint8_t)left;
    else
        error = sel__modify(sel, entry, fd, left, on_ready, entry->data);
    return error;
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
