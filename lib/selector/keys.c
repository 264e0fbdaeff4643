/* SPDX-License-Identifier: MIT */
/*
 * A selector's keys: every rule about registering, changing and removing them. A key is
 * in the table, has room for its pair in the next batch, and is known to the backend;
 * if any of the three fails, it is in none.
 */
#include "selector/selector.h"

#include "base/descriptor.h"
#include "debug/observer.h"
#include "base/own.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"

void sel__list_changed(sel_selector *sel, sel__entry *entry, int fd)
{
    if (entry->next_changed != SEL__UNLISTED)
        return;
    entry->next_changed = sel->first_changed;
    sel->first_changed = fd;
}

/* Does this key keep sel_run() going? */
static int is_callable(const sel__entry *entry)
{
    return entry->events != 0 && entry->callback != NULL;
}

static int make_room(sel_selector *sel, int fd)
{
    int error = sel__table_reserve(&sel->table, fd);

    if (error < 0)
        return error;
    return sel__batch_reserve(&sel->batch, (uint32_t)sel->count + 1 + SEL__MOST_INTERNAL);
}

/*
 * Identify the file. Among files that share an inode, such as eventfds, the library's
 * own differ from the program's and from each other.
 */
static int identify(int fd, uint64_t *ret_identity, sel__kind *ret_kind)
{
    int error = sel__identify(fd, ret_identity, ret_kind);

    if (error == 0 && *ret_kind == SEL__OTHER)
        *ret_identity ^= (uint64_t)sel__get_serial(fd) << 32;
    return error;
}

/* The entry is unused, or belongs to a key that is gone; on failure it stays as it is. */
static int add_key(sel_selector *sel, const sel_key *key, int flags)
{
    sel__entry *entry, before;
    uint64_t identity;
    sel__kind kind;
    int error = identify(key->fd, &identity, &kind);

    if (error == 0)
        error = make_room(sel, key->fd);
    if (error < 0)
        return error;

    entry = sel__entry_at(sel, key->fd);
    before = *entry;
    entry->flags = (uint8_t)flags;
    entry->callback = key->callback;
    entry->data = key->data;
    entry->identity = identity;
    entry->kind = (uint8_t)kind;
    entry->slot = SEL__NO_SLOT;
    entry->events = (uint8_t)key->events;
    error = sel->backend->add(sel->state, key->fd, key->events);
    if (error < 0)
        *entry = before;
    else
        entry->armed = entry->events;
    return error;
}

static void remove_key(sel_selector *sel, sel__entry *entry, int fd)
{
    if (sel->observer != NULL)
        sel__observe_removed(sel->observer, fd);
    if (!(entry->flags & SEL__GONE))
        sel->backend->remove(sel->state, fd);
    sel__batch_forget(&sel->batch, entry, fd);
    entry->flags = 0;
}

void sel__forget_key(sel_selector *sel, sel__entry *entry, int fd)
{
    if (entry->callback == sel->handles_callback)
        free(entry->data);
    sel->count--;
    sel->callable -= is_callable(entry);
    remove_key(sel, entry, fd);
}

void sel__free_handles(sel_selector *sel)
{
    for (int fd = sel__table_next(&sel->table, SEL__NO_FD); fd != SEL__NO_FD;
         fd = sel__table_next(&sel->table, fd))
        if (sel__entry_at(sel, fd)->callback == sel->handles_callback)
            free(sel__entry_at(sel, fd)->data);
}

int sel__add_internal(sel_selector *sel, int fd, sel_callback *callback, void *data)
{
    sel_key key = {.fd = fd, .events = SEL_EVENT_READ, .callback = callback, .data = data};

    return add_key(sel, &key, SEL__REGISTERED | SEL__INTERNAL);
}

void sel__remove_internal(sel_selector *sel, int fd)
{
    remove_key(sel, sel__entry_at(sel, fd), fd);
}

bool sel__is_same(const sel_selector *sel, int fd)
{
    uint64_t identity;
    sel__kind kind;
    int error = identify(fd, &identity, &kind);

    if (error < 0)
        return error != -EBADF; /* it is open, and no more can be found out */
    return identity == sel__entry_at(sel, fd)->identity &&
           (!HAS_KQUEUE || sel->backend->knows == NULL || sel->backend->knows(sel->state, fd));
}

void sel__gone(sel_selector *sel, int fd)
{
    if (sel->observer != NULL)
        sel__observe_gone(sel->observer, fd);
    sel__entry_at(sel, fd)->flags |= SEL__GONE;
    sel->backend->remove(sel->state, fd);
}

bool sel__check(sel_selector *sel, int fd)
{
    if (sel__is_same(sel, fd))
        return true;
    sel__gone(sel, fd);
    return false;
}

void sel__disarmed(sel_selector *sel, int fd)
{
    sel__entry *entry = sel__entry_at(sel, fd);

    entry->armed = 0;
    sel__list_changed(sel, entry, fd);
}

/* An internal key's number is the library's for as long as there is the key. */
sel__entry *sel__find_current(sel_selector *sel, int fd)
{
    sel__entry *entry = sel__table_find(&sel->table, fd);

    if (entry == NULL || (entry->flags & SEL__INTERNAL))
        return entry;
    return !(entry->flags & SEL__GONE) && sel__check(sel, fd) ? entry : NULL;
}

void sel__check_all(sel_selector *sel)
{
    for (int fd = sel__next_watched(sel, SEL__NO_FD); fd != SEL__NO_FD;
         fd = sel__next_watched(sel, fd))
        sel__check(sel, fd);
}

int sel__free_number(const sel_selector *sel, int fd, int *ret_duplicate)
{
    int number = fd;

    *ret_duplicate = -1;
    while (number >= 0 && sel__table_find(&sel->table, number) != NULL) {
        int next, error = sel__own(fcntl(fd, F_DUPFD_CLOEXEC, number + 1), &next);

        sel__close_own(ret_duplicate);
        sel__move_own(&next, ret_duplicate);
        number = error < 0 ? error : *ret_duplicate;
    }
    return number;
}

int sel__next_watched(const sel_selector *sel, int fd)
{
    do
        fd = sel__table_next(&sel->table, fd);
    while (fd != SEL__NO_FD && (sel__entry_at(sel, fd)->flags & SEL__GONE));
    return fd;
}

/*
 * Find the entry of one of the program's keys. Returns 0, or the error that every call
 * gives.
 */
static int find_key(sel_selector *sel, const char *call, int fd, sel__entry **ret_entry)
{
    int error = sel__enter(sel, call);
    sel__entry *entry;

    if (error < 0)
        return error;
    if (fd < 0)
        return -EINVAL;
    entry = sel__table_find(&sel->table, fd);
    if (entry == NULL || (entry->flags & SEL__INTERNAL))
        return -ENOENT;
    *ret_entry = entry;
    return 0;
}

static void copy_key(const sel__entry *entry, int fd, sel_key *ret_key)
{
    ret_key->fd = fd;
    ret_key->events = entry->events;
    ret_key->callback = entry->callback;
    ret_key->data = entry->data;
}

int sel__register(sel_selector *sel, const sel_key *key)
{
    const sel__entry *entry = sel__table_find(&sel->table, key->fd);
    sel__entry gone = entry != NULL ? *entry : (sel__entry){0};
    int error = add_key(sel, key, SEL__REGISTERED);

    if (error < 0)
        return error;
    if (gone.flags != 0)
        sel__forget_key(sel, &gone, key->fd);
    sel->count++;
    sel->callable += key->callback != NULL;
    sel__revive(sel);
    return 0;
}

int sel_register(sel_selector *sel, int fd, int events, sel_callback *callback, void *data)
{
    sel_key key = {.fd = fd, .events = events, .callback = callback, .data = data};
    int error = sel__enter(sel, __func__);
    sel__entry *gone;

    if (error < 0)
        return error;
    if (fd < 0 || events == 0 || (events & ~SEL__EVERY_EVENT) ||
        callback == sel->handles_callback)
        return -EINVAL;
    if (sel__find_current(sel, fd) != NULL)
        return -EEXIST;
    gone = sel__table_find(&sel->table, fd);
    if (gone != NULL)
        sel__forget_key(sel, gone, fd);
    return sel__register(sel, &key);
}

void sel__change(sel_selector *sel, sel__entry *entry, const sel_key *key)
{
    sel->callable -= is_callable(entry);
    entry->events = (uint8_t)key->events;
    entry->callback = key->callback;
    entry->data = key->data;
    sel->callable += is_callable(entry);
    sel__revive(sel);
    sel__batch_revise(&sel->batch, entry, key->fd);
    if (entry->armed != entry->events)
        sel__list_changed(sel, entry, key->fd);
}

int sel_modify(sel_selector *sel, int fd, int events, sel_callback *callback, void *data)
{
    sel_key key = {.fd = fd, .events = events, .callback = callback, .data = data};
    sel__entry *entry;
    int error = find_key(sel, __func__, fd, &entry);

    if (error == 0 && ((events & ~SEL__EVERY_EVENT) || callback == sel->handles_callback))
        error = -EINVAL;
    if (error == 0 && entry->callback == sel->handles_callback)
        error = -EEXIST;
    if (error < 0)
        return error;
    if ((entry->flags & SEL__GONE) ||
        ((events & ~entry->events) && !sel__check(sel, fd))) {
        sel__forget_key(sel, entry, fd);
        return -EBADF;
    }
    sel__change(sel, entry, &key);
    return 0;
}

int sel_unregister(sel_selector *sel, int fd)
{
    sel__entry *entry;
    int error = find_key(sel, __func__, fd, &entry);

    if (error < 0)
        return error;
    sel__forget_key(sel, entry, fd);
    return 0;
}

int sel_get_key(sel_selector *sel, int fd, sel_key *ret_key)
{
    sel__entry *entry;
    int error = find_key(sel, __func__, fd, &entry);

    if (error == 0 && ret_key == NULL)
        error = -EINVAL;
    if (error == 0)
        copy_key(entry, fd, ret_key);
    return error;
}

int sel_get_map(sel_selector *sel, sel_key *ret_keys, size_t capacity)
{
    int error = sel__enter(sel, __func__);
    size_t copied = 0;

    if (error == 0 && ret_keys == NULL && capacity > 0)
        error = -EINVAL;
    if (error < 0)
        return error;
    for (int fd = SEL__NO_FD; copied < capacity;) {
        const sel__entry *entry;

        fd = sel__table_next(&sel->table, fd);
        if (fd == SEL__NO_FD)
            break;
        entry = sel__entry_at(sel, fd);
        if (!(entry->flags & SEL__INTERNAL))
            copy_key(entry, fd, &ret_keys[copied++]);
    }
    return sel->count;
}
