/* SPDX-License-Identifier: MIT */
#include "reactor/loops.h"

#include "base/own.h"

#include <stdlib.h>
#include <string.h>

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_duplicate(sel__nested *nested)
{
    sel__close_own(&nested->duplicate);
    nested->fd = SEL__NO_FD;
}

static void on_ready(sel_selector *sel, const sel_key *key, int mask)
{
    sel__nested *nested = key->data;

    (void)mask;
    sel->restless = true;
    if (nested->phase == SEL__NESTED_IDLE)
        nested->phase = SEL__NESTED_READY;
}

static int watch(sel__nested *nested)
{
    int error;

    nested->fd = sel__free_number(nested->sel, uv_backend_fd(&nested->loop.uv),
                                  &nested->duplicate);
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
 * In every libuv, an empty list points to itself. The only other way to find out would
 * be to walk all handles.
 */
static bool is_empty(const void *list)
{
    const void *first;

    memcpy(&first, list, sizeof first);
    return first == list;
}

bool sel__has_hooks(const sel__nested *nested)
{
    const uv_loop_t *loop = &nested->loop.uv;

    return !is_empty(&loop->prepare_handles) || !is_empty(&loop->check_handles);
}

/*
 * Guard 6. Without an active handle uv_run() would not look at the kernel, but there
 * may be something to take: a pool thread's wake-up that arrives after its job has been
 * seen, or a signal whose handler has just been removed. Left there, it would end every
 * wait.
 */
void sel__run_nested(sel__nested *nested)
{
    nested->phase = SEL__NESTED_IDLE;
    nested->hooked = sel__has_hooks(nested);
    uv_prepare_start(&nested->keeper, keep_alive);
    uv_run(&nested->loop.uv, UV_RUN_NOWAIT);
    uv_prepare_stop(&nested->keeper);
}

int sel__open_nested(sel_selector *sel, struct sel__reactor *reactor, sel__nested **ret_nested)
{
    sel__nested *nested = calloc(1, sizeof *nested);
    int error;

    if (nested == NULL)
        return -ENOMEM;
    error = sel__loop_open(&nested->loop, sel);
    if (error < 0) {
        free(nested);
        return error;
    }
    uv_prepare_init(&nested->loop.uv, &nested->keeper);
    nested->sel = sel;
    nested->reactor = reactor;
    nested->fd = SEL__NO_FD;
    nested->duplicate = -1;
    sel__run_nested(nested); /* makes libuv register its own descriptors */
    error = watch(nested);
    if (error == 0)
        *ret_nested = nested;
    else
        sel__end_nested(nested, false);
    return error;
}

/*
 * Without the keeper libuv would also return 0 when no handle keeps the loop alive, and
 * the timeouts of unreferenced handles count too.
 */
int sel__nested_timeout(sel__nested *nested)
{
    int ms;

    uv_prepare_start(&nested->keeper, keep_alive);
    ms = uv_backend_timeout(&nested->loop.uv);
    uv_prepare_stop(&nested->keeper);
    return ms;
}

/* --- forking and closing --- */

void sel__check_nested(sel__nested *nested)
{
    if (!sel__loop_check(&nested->loop) || !SEL__SET_IS_INHERITED)
        sel__unwatch_nested(nested);
}

int sel__follow_fork(sel__nested *nested)
{
    int error;

    sel__unwatch_nested(nested);
    error = sel__loop_fork(&nested->loop);
    return error < 0 ? error : watch(nested);
}

bool sel__end_nested(sel__nested *nested, bool forked)
{
    close_duplicate(nested);
    if (forked && sel__loop_fork(&nested->loop) < 0) {
        sel__loop_leave_behind(&nested->loop);
        return false;
    }
    if (sel__loop_close(&nested->loop, close_handle))
        free(nested);
    return true;
}
