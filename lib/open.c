/* SPDX-License-Identifier: MIT */
/*
 * A selector's life: opened, forked, closed. This is the only file that names the
 * backends, and no other file uses anything from it.
 */
#include "base/os.h"
#include "base/own.h"
#include "base/set.h"
#include "debug/observer.h"
#include "reactor/readers.h"
#include "selector/selector.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

/* --- which backend a program gets --- */

/* A backend that this build lacks has its name here, and NULL. */
static const struct {
    const char *name;
    const sel__backend *backend;
} backends[] = {
    [SEL_BACKEND_UV] = {"uv", UV_BACKEND},
    [SEL_BACKEND_EPOLL] = {"epoll", EPOLL_BACKEND},
    [SEL_BACKEND_POLL] = {"poll", &sel__poll_backend},
    [SEL_BACKEND_SELECT] = {"select", &sel__select_backend},
    [SEL_BACKEND_KQUEUE] = {"kqueue", KQUEUE_BACKEND},
};

enum { COUNT = sizeof backends / sizeof backends[0] };

static sel_backend by_name(const char *name)
{
    int i = SEL_BACKEND_UV;

    while (i < COUNT && strcmp(name, backends[i].name) != 0)
        i++;
    return (sel_backend)i;
}

static sel_backend choose_default(void)
{
    const char *name = secure_getenv("SELKIE_BACKEND");

    return name != NULL ? by_name(name) : DEFAULT_BACKEND;
}

static const sel__backend *find_backend(sel_backend backend, int *ret_error)
{
    if (backend == SEL_BACKEND_DEFAULT)
        backend = choose_default();
    if ((unsigned)backend >= COUNT) {
        *ret_error = -EINVAL;
        return NULL;
    }
    *ret_error = -ENOTSUP;
    return backends[backend].backend;
}

int sel_backend_available(sel_backend backend)
{
    int error;

    return find_backend(backend, &error) != NULL;
}

/* --- open, fork, close --- */

/*
 * Free a selector, even one that is only half made. libuv calls the program's close
 * callbacks for the handles that end with its loops; they find a selector that refuses
 * everything.
 */
static void destroy(sel_selector *sel, bool forked)
{
    sel->closing = true;
    sel->mark = &sel__nobodys_mark;
    if (sel->state != NULL)
        sel->backend->close(sel->state, forked);
    if (sel->services != NULL)
        sel->services->table->close(sel->services, forked);
    if (sel->observer != NULL)
        sel__observer_close(sel->observer);
    sel__tasks_free(&sel->tasks);
    sel__timers_free(&sel->timers);
    sel__close_outer(sel);
    sel__wakeup_close(&sel->wakeup);
    sel__batch_free(&sel->batch);
    sel__free_handles(sel);
    sel__table_free(&sel->table);
    free(sel);
}

int sel_open(sel_backend backend, sel_selector **ret_sel)
{
    sel_selector *sel;
    const sel__backend *found;
    int error = ret_sel == NULL ? -EINVAL : sel__count_forks();

    if (error < 0)
        return error;
    found = find_backend(backend, &error);
    if (found == NULL)
        return error;
    sel = calloc(1, sizeof *sel);
    if (sel == NULL)
        return -ENOMEM;
    sel->backend = found;
    sel->mark = atomic_load(&sel__forks_mark);
    sel->handles_callback = sel__call_handles;
    sel->first_changed = SEL__NO_FD;
    sel->outer = -1;
    sel->undue = SEL__FOREVER;
    sel__tasks_open(&sel->tasks);
    sel__timers_open(&sel->timers);

    error = sel__wakeup_open(&sel->wakeup);
    if (error == 0)
        error = found->open(sel, &sel->state);
    if (error == 0)
        error = sel__add_wakeup(sel, sel->wakeup.fd);
    sel->wakeup_key = sel->wakeup.fd;
    if (error == 0)
        error = sel__observer_from_environment(&sel->observer);
    if (error < 0) {
        destroy(sel, false);
        return error;
    }
    sel__batch_begin(&sel->batch); /* a dispatch may come before the first wait */
    *ret_sel = sel;
    return 0;
}

static void forget_wakeup(sel_selector *sel)
{
    if (sel->wakeup_key != SEL__NO_FD)
        sel__remove_internal(sel, sel->wakeup_key);
    sel->wakeup_key = SEL__NO_FD;
}

/*
 * In a forked child, before anything is opened: drop those of the library's descriptors
 * that the child has closed. Their numbers may belong to files of its own, or go to the
 * next ones we open.
 */
static void forget_closed(sel_selector *sel)
{
    if (sel->outer >= 0 && !sel__set_is_ours(sel->outer))
        sel__disown(&sel->outer);
    if (sel->wakeup.fd < 0 || !sel__is_own(sel->wakeup.fd))
        forget_wakeup(sel);
    if (sel->services != NULL)
        sel->services->table->check(sel->services);
}

int sel_close(sel_selector *sel)
{
    bool forked;

    if (sel == NULL)
        return 0;
    if (sel->busy & SEL__DISPATCHING)
        return -EBUSY;
    sel->busy |= SEL__DISPATCHING; /* for `done`, which is called in here and may fork */
    if (sel->services != NULL && !sel__is_foreign(sel))
        sel->services->table->end_jobs(sel->services);
    forked = sel__is_foreign(sel);
    if (forked) {
        forget_closed(sel);
        sel__close_outer(sel);
    } else {
        sel__wakeup_wait_for_senders(&sel->wakeup);
    }
    if (sel->attachment != NULL)
        sel->attachment->detach(sel->attachment);
    sel->attachment = NULL;
    destroy(sel, forked);
    return 0;
}

/* The child shares what is behind the wake-up descriptor with its parent. */
static int replace_wakeup(sel_selector *sel)
{
    sel__wakeup fresh;
    int error = sel__wakeup_open(&fresh), duplicate;
    int number = error == 0 ? sel__free_number(sel, fresh.fd, &duplicate) : error;

    if (number >= 0 && number != fresh.fd) {
        sel__close_own(&fresh.fd);
        sel__move_own(&duplicate, &fresh.fd);
    }
    error = number >= 0 ? sel__add_wakeup(sel, number) : number;
    if (error < 0) {
        sel__wakeup_close(&fresh);
        return error;
    }
    forget_wakeup(sel);
    sel->wakeup_key = number;
    sel__wakeup_close(&sel->wakeup);
    sel__move_own(&fresh.fd, &sel->wakeup.fd);
    sel__move_own(&fresh.out, &sel->wakeup.out);
    atomic_store(&sel->wakeup.pending, false);
    atomic_store(&sel->wakeup.requested, false);
    atomic_store(&sel->wakeup.senders, 0); /* they are the parent's threads */
    sel__tasks_open(&sel->tasks);
    return 0;
}

int sel_after_fork(sel_selector *sel)
{
    int error, outer;

    if (sel == NULL)
        return -EINVAL;
    if (!sel__is_foreign(sel))
        return 0;
    if (sel->busy & SEL__DISPATCHING)
        return -EBUSY;
    error = sel__count_forks();
    if (error < 0)
        return error;
    forget_closed(sel);
    sel__check_all(sel);
    if (sel->attachment != NULL) /* its loop watches this number */
        error = sel->outer >= 0 ? sel__set_renew(&sel->outer) : -EBADF;
    else
        sel__close_outer(sel);
    if (error < 0)
        return error;
    outer = sel->outer;
    sel->outer = -1; /* the backend's old set is not in the renewed one */
    error = sel->backend->rearm(sel->state);
    sel->outer = outer;
    if (error == 0 && outer >= 0)
        error = sel__enter_outer(sel, sel->backend->fileno(sel->state));
    if (error == 0)
        error = replace_wakeup(sel);
    if (error == 0 && sel->services != NULL)
        error = sel->services->table->after_fork(sel->services);
    if (error == 0 && sel->observer != NULL)
        sel__observe_fork(sel->observer);
    if (error == 0)
        sel->mark = atomic_load(&sel__forks_mark);
    return error;
}
