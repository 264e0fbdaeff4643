/* SPDX-License-Identifier: MIT */
/*
 * The selector, as this room and those above it see it.
 *
 *     keys.c                 register, modify, unregister
 *     wait.c                 sel_select(): the one loop around a backend's wait
 *     dispatch.c, call.h     calling whatever a wait has collected
 *     tasks.h, wakeup.h      what this thread and others queue for that
 *     timers.h               what is to be called later
 *     table.h, batch.h       the keys; the pairs of one wait
 *     backend.h, services.h  what the rooms above fill in
 */
#ifndef SEL_SELECTOR_H
#define SEL_SELECTOR_H

#include "selector/backend.h"
#include "selector/batch.h"
#include "base/clock.h"
#include "base/fork.h"
#include "debug/observer.h"
#include "selector/services.h"
#include "selector/table.h"
#include "selector/tasks.h"
#include "selector/timers.h"
#include "selector/wakeup.h"

#include <errno.h>

enum { SEL__DISPATCHING = 1, SEL__ATTACHED = 2 };

/*
 * The most descriptors of the library's own that a backend watches at a time: a
 * wake-up, the one that replaces it, and the services' two loops.
 */
enum { SEL__MOST_INTERNAL = 4 };

struct sel_selector {
    const sel__backend *backend;
    void *state; /* the backend's */
    const unsigned int *mark; /* of the process that made the kernel's side */
    sel__table table;
    sel__batch batch;
    int count;          /* of keys, without the library's own */
    int callable;       /* of keys that have a callback and are not paused */
    int first_changed;  /* list of keys with changes that the backend has not heard of */
    int recorded;       /* how much the services have for the next dispatch */
    int outer;          /* sel_fileno(): a set around the backend's, or -1 */
    int wakeup_key;     /* the wake-up's number, as long as it is watched; or SEL__NO_FD */
    uint8_t busy;  /* SEL__DISPATCHING, SEL__ATTACHED */
    bool stopping; /* sel_stop() */
    bool woken;    /* this wait ends even if no descriptor is ready */
    bool closing;  /* sel_close() has begun to free; the mark is nobody's */
    bool restless; /* the services may have what no descriptor shows: every pass asks them */
    sel__wakeup wakeup;
    sel__tasks tasks;
    sel__timers timers;
    sel__services *services;            /* NULL until something needs them */
    sel__attachment *attachment;        /* to a loop of the program's, or NULL */
    sel__observer *observer;            /* NULL: nothing observes */
    sel_callback *handles_callback;     /* of keys whose data belongs to the library */
    uint64_t passes;
    int64_t deadline; /* of the current wait */
    int64_t undue;    /* as of the last wait, nothing due at this time or later is due yet */
    uint64_t pairs;
    uint64_t callbacks;
};

/*
 * Does it belong to another process? This one was forked since, perhaps inside the
 * callback that has just returned.
 */
static inline bool sel__is_foreign(const sel_selector *sel)
{
    return *sel->mark == 0;
}

/*
 * Returns 0, or why nothing can be done with the selector: -EINVAL, -ECHILD or, in a
 * callback that sel_close() causes, -ECANCELED.
 */
static inline int sel__usable(const sel_selector *sel)
{
    if (sel == NULL)
        return -EINVAL;
    if (!sel__is_foreign(sel))
        return 0;
    return sel->closing ? -ECANCELED : -ECHILD;
}

/* sel__usable() at the start of a call that only one thread at a time may make. */
static inline int sel__enter(const sel_selector *sel, const char *call)
{
    int error = sel__usable(sel);

    if (error == 0 && sel->observer != NULL)
        sel__observe_thread(sel->observer, call);
    return error;
}

/* Inside a callback, or run by the program's loop. */
static inline bool sel__is_busy(const sel_selector *sel)
{
    return sel->busy != 0;
}

/* Is there anything left to wait for? If not, sel_run() returns. */
static inline bool sel__is_alive(sel_selector *sel)
{
    return sel->callable > 0 || sel__tasks_waiting(&sel->tasks) > 0 || sel->timers.pending > 0 ||
           (sel->services != NULL && sel->services->table->are_alive(sel->services));
}

/*
 * There is something new to wait for: a loop of the program's that was about to end
 * must go on.
 */
static inline void sel__revive(sel_selector *sel)
{
    if (sel->attachment != NULL)
        sel->attachment->revive(sel->attachment);
}

/*
 * Called before the library opens a descriptor: notices every key that has been closed,
 * so that none is taken for the new descriptor that gets its number.
 */
void sel__check_all(sel_selector *sel);

/*
 * A number for this file of the library's that no key has, not even a gone one: `fd`
 * itself, or that of a duplicate, which is the library's own; without one, its place is
 * -1. Returns the number, or a negative errno.
 */
int sel__free_number(const sel_selector *sel, int fd, int *ret_duplicate);

/* Add a key of the library's own, for READ. Its callback is called during the wait. */
int sel__add_internal(sel_selector *sel, int fd, sel_callback *callback, void *data);
void sel__remove_internal(sel_selector *sel, int fd);

/* Watch a wake-up's descriptor. */
int sel__add_wakeup(sel_selector *sel, int fd);

/*
 * The entry of a number that still stands for the file that was registered, or NULL. A
 * key that this finds to be another file's is then gone.
 */
sel__entry *sel__find_current(sel_selector *sel, int fd);

/*
 * sel_register() for a number that has no key, or one that is gone. The new key takes
 * its place; on failure the old one stays.
 */
int sel__register(sel_selector *sel, const sel_key *key);

/* sel_modify() and sel_unregister() for a key of the program's that has been found. */
void sel__change(sel_selector *sel, sel__entry *entry, const sel_key *key);
void sel__forget_key(sel_selector *sel, sel__entry *entry, int fd);

/* The selector is being closed: free the data of keys with the library's callback. */
void sel__free_handles(sel_selector *sel);

/* List a key whose changes the backend must hear of before the next wait. */
void sel__list_changed(sel_selector *sel, sel__entry *entry, int fd);

/*
 * Wait for at most `timeout` nanoseconds and collect a batch. Returns 0 or a negative
 * errno.
 */
int sel__wait(sel_selector *sel, int64_t timeout);

/*
 * Right after a wait: call whatever was collected. Returns how many were called, or
 * -ECHILD in a child that one of them has forked.
 */
int sel__dispatch(sel_selector *sel);

/* --- What backends may call. ------------------------------------------- */

static inline sel__entry *sel__entry_at(const sel_selector *sel, int fd)
{
    return sel__table_at(&sel->table, fd);
}

SEL__RARE void sel__report_internal(sel_selector *sel, const sel__entry *entry, int fd);

/* A watched descriptor is ready for these events, perhaps among others. */
static inline void sel__report_entry(sel_selector *sel, sel__entry *entry, int fd, int ready)
{
    int mask = ready & entry->events;

    if (entry->flags != SEL__REGISTERED)
        sel__report_internal(sel, entry, fd);
    else if (mask != 0)
        sel__batch_add(&sel->batch, entry, fd, mask);
}

static inline void sel__report(sel_selector *sel, int fd, int ready)
{
    sel__report_entry(sel, sel__entry_at(sel, fd), fd, ready);
}

/* Are there tasks or anything recorded to dispatch? */
static inline bool sel__has_to_run(const sel_selector *sel)
{
    return (sel__tasks_waiting(&sel->tasks) | (unsigned)sel->recorded) > 0;
}

static inline bool sel__timer_is_due(const sel_selector *sel)
{
    return sel->timers.length > 0 && sel__timers_due(&sel->timers) <= sel__now();
}

/* Does this wait have a reason to return? */
static inline bool sel__is_over(const sel_selector *sel)
{
    return sel->batch.length > 0 || sel->woken || sel__has_to_run(sel) ||
           sel__timer_is_due(sel);
}

/* Does the number still stand for the file that was registered? */
bool sel__is_same(const sel_selector *sel, int fd);

/*
 * A descriptor was found closed or replaced: the backend drops it now, and the key
 * stays, silent, until it is unregistered.
 */
void sel__gone(sel_selector *sel, int fd);

/* sel__is_same(), and sel__gone() if it is not. */
bool sel__check(sel_selector *sel, int fd);

/* The backend no longer watches this key: change() it before the next wait. */
void sel__disarmed(sel_selector *sel, int fd);

/* The next descriptor after `fd` that the backend has to watch, or SEL__NO_FD. */
int sel__next_watched(const sel_selector *sel, int fd);

/* The backend's fileno() is about to be replaced; a new one is in use. */
void sel__leave_outer(sel_selector *sel, int fd);
int sel__enter_outer(sel_selector *sel, int fd);
void sel__close_outer(sel_selector *sel);

#endif
