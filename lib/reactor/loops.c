/* SPDX-License-Identifier: MIT */
#include "reactor/loops.h"

#include "base/own.h"
#include "uv/loop.h"

#include <stdlib.h>

enum { MOST_TRIES = 4 };

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* The loop's descriptor, if a key had its number, was watched as a duplicate. */
static void close_duplicate(sel__nested *nested)
{
    if (nested->fd >= 0 && nested->fd != uv_backend_fd(&nested->uv))
        sel__close_own(nested->fd);
    nested->fd = SEL__NO_FD;
}

void sel__leave_behind(sel__nested *nested)
{
    static sel__nested *left_behind;

    nested->next = left_behind;
    left_behind = nested;
}

/* A callback of the program's that runs because its handle ends may make another. */
static void close_nested(sel__nested *nested)
{
    int tries = 0;

    do {
        if (nested->inherited && tries++ == MOST_TRIES) {
            sel__leave_behind(nested);
            return;
        }
        uv_walk(&nested->uv, close_handle, NULL);
        uv_run(&nested->uv, nested->inherited ? UV_RUN_NOWAIT : UV_RUN_ONCE);
        sel__disown_loop(&nested->uv);
    } while (uv_loop_close(&nested->uv) == UV_EBUSY);
    free(nested);
}

static void on_ready(sel_selector *sel, const sel_key *key, int mask)
{
    sel__nested *nested = key->data;

    (void)sel;
    (void)mask;
    nested->ready = true;
}

static int watch(sel__nested *nested)
{
    int error;

    nested->fd = sel__free_number(nested->sel, uv_backend_fd(&nested->uv));
    error = nested->fd < 0 ? nested->fd :
            sel__add_internal(nested->sel, nested->fd, on_ready, nested);
    if (error < 0)
        close_duplicate(nested);
    return error;
}

void sel__unwatch_nested(sel__nested *nested)
{
    if (nested->fd != SEL__NO_FD)
        sel__remove_internal(nested->sel, nested->fd);
    close_duplicate(nested);
}

static void keep_alive(uv_prepare_t *unused)
{
    (void)unused;
}

/*
 * uv_run() does not look at the kernel when no handle is active, but something
 * may be there to be taken: a pool thread's wake-up that comes after its job
 * was already seen, a signal whose handler has just been removed. Left there it
 * would end every wait.
 */
void sel__run_nested(sel__nested *nested)
{
    nested->ready = false;
    uv_prepare_start(&nested->keeper, keep_alive);
    uv_run(&nested->uv, UV_RUN_NOWAIT);
    uv_prepare_stop(&nested->keeper);
}

int sel__open_nested(sel_selector *sel, struct sel__reactor *reactor, sel__nested **ret_nested)
{
    sel__nested *nested = calloc(1, sizeof *nested);
    int error;

    if (nested == NULL)
        return -ENOMEM;
    error = sel__init_loop(sel, &nested->uv);
    if (error < 0) {
        free(nested);
        return error;
    }
    uv_prepare_init(&nested->uv, &nested->keeper);
    nested->sel = sel;
    nested->reactor = reactor;
    nested->fd = SEL__NO_FD;
    sel__run_nested(nested); /* tells the kernel of libuv's own descriptors */
    error = watch(nested);
    if (error == 0)
        *ret_nested = nested;
    else
        close_nested(nested);
    return error;
}

/* libuv says 0, too, where no handle keeps the loop alive: the unreferenced ones
   want their turn all the same. */
int sel__nested_timeout(sel__nested *nested)
{
    int ms;

    uv_prepare_start(&nested->keeper, keep_alive);
    ms = uv_backend_timeout(&nested->uv);
    uv_prepare_stop(&nested->keeper);
    return ms;
}

/* --- forking and closing --- */

void sel__check_nested(sel__nested *nested)
{
    if (nested->gone || sel__loop_is_own(&nested->uv))
        return;
    nested->gone = true;
    sel__unwatch_nested(nested);
}

/*
 * What the parent's signal handler wrote into the shared pipe never comes here,
 * and libuv before 1.45 would wait for it for ever when the handle is closed.
 * Nor does a wake-up that a thread of the parent's has sent, or was sending: the
 * handle is marked as sent to, and would be for ever, so that no other gets out.
 */
static void forget_pending(uv_handle_t *handle, void *unused)
{
    uv_signal_t *signal = (uv_signal_t *)handle;

    (void)unused;
    if (uv_handle_get_type(handle) == UV_SIGNAL)
        signal->caught_signals = signal->dispatched_signals = 0;
    if (uv_handle_get_type(handle) == UV_ASYNC)
        ((uv_async_t *)handle)->pending = 0;
}

/* A loop whose uv_loop_fork() failed has no epoll set and would abort if it ran. */
static int fork_nested(sel__nested *nested)
{
    int error = nested->gone ? -EBADF :
                nested->lost ? -ENOMEM : sel__fork_loop(&nested->uv);

    nested->lost = error < 0 && !nested->gone;
    nested->inherited |= nested->uv.active_reqs.count > 0;
    uv_walk(&nested->uv, forget_pending, NULL);
    forget_pending((uv_handle_t *)&nested->uv.wq_async, NULL); /* not walked to */
    return error;
}

int sel__follow_fork(sel__nested *nested)
{
    int error;

    sel__unwatch_nested(nested);
    error = fork_nested(nested);
    return error < 0 ? error : watch(nested);
}

bool sel__end_nested(sel__nested *nested, bool forked)
{
    close_duplicate(nested);
    if (forked && fork_nested(nested) < 0) {
        sel__leave_behind(nested);
        return false;
    }
    close_nested(nested);
    return true;
}
