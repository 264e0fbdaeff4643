/* SPDX-License-Identifier: MIT */
#include "reactor/loops.h"

#include "base/clock.h"
#include "uv/loop.h"
#include "base/own.h"

#include <selkie/uv.h>

#include <stdlib.h>
#include <unistd.h>

enum { MOST_TRIES = 4 };

/* --- the loops --- */

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

/*
 * What a thread of the parent's has in hand never ends in a forked child, and libuv
 * can't close a loop that waits for it: that loop is left behind.
 */
static void leave_behind(sel__nested *nested)
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
            leave_behind(nested);
            return;
        }
        uv_walk(&nested->uv, close_handle, NULL);
        uv_run(&nested->uv, nested->inherited ? UV_RUN_NOWAIT : UV_RUN_ONCE);
        sel__disown_loop(&nested->uv);
    } while (uv_loop_close(&nested->uv) == UV_EBUSY);
    free(nested);
}

static int watch(sel__nested *nested)
{
    sel_selector *sel = nested->services->sel;
    int error;

    nested->fd = sel__free_number(sel, uv_backend_fd(&nested->uv));
    error = nested->fd >= 0 ? sel__add_internal(sel, nested->fd) : nested->fd;
    if (error < 0)
        close_duplicate(nested);
    return error;
}

static void unwatch(sel__nested *nested)
{
    if (nested->fd != SEL__NO_FD)
        sel__remove_internal(nested->services->sel, nested->fd);
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
static void run(sel__nested *nested)
{
    nested->ready = false;
    uv_prepare_start(&nested->keeper, keep_alive);
    uv_run(&nested->uv, UV_RUN_NOWAIT);
    uv_prepare_stop(&nested->keeper);
}

static int open_nested(sel__services *services, sel__nested **ret_nested)
{
    sel__nested *nested = calloc(1, sizeof *nested);
    int error;

    if (nested == NULL)
        return -ENOMEM;
    error = sel__init_loop(services->sel, &nested->uv);
    if (error < 0) {
        free(nested);
        return error;
    }
    uv_prepare_init(&nested->uv, &nested->keeper);
    nested->services = services;
    nested->fd = SEL__NO_FD;
    run(nested); /* tells the kernel of libuv's own descriptors */
    error = watch(nested);
    if (error == 0)
        *ret_nested = nested;
    else
        close_nested(nested);
    return error;
}

static int get_services(sel_selector *sel, const char *call, sel__services **ret_services)
{
    int error = sel__enter(sel, call);

    if (error < 0)
        return error;
    if (sel->services == NULL) {
        sel->services = calloc(1, sizeof *sel->services);
        if (sel->services == NULL)
            return -ENOMEM;
        sel->services->sel = sel;
    }
    *ret_services = sel->services;
    return 0;
}

int sel__get_main_loop(sel_selector *sel, const char *call, sel__services **ret_services)
{
    int error = get_services(sel, call, ret_services);

    if (error == 0 && (*ret_services)->main == NULL)
        error = open_nested(*ret_services, &(*ret_services)->main);
    return error;
}

int sel__get_pool_loop(sel_selector *sel, const char *call, sel__services **ret_services)
{
    int error = get_services(sel, call, ret_services);

    if (error == 0 && (*ret_services)->pool == NULL)
        error = open_nested(*ret_services, &(*ret_services)->pool);
    return error;
}

struct uv_loop_s *sel_loop(sel_selector *sel)
{
    sel__services *services;

    if (sel__get_main_loop(sel, __func__, &services) < 0)
        return NULL;
    services->main->shared = true;
    return &services->main->uv;
}

bool sel__services_own(const sel__services *services, const struct uv_loop_s *loop)
{
    return services->main != NULL && loop == &services->main->uv;
}

/* --- waiting --- */

void sel__services_ready(sel__services *services, int fd)
{
    if (services->main != NULL && services->main->fd == fd)
        services->main->ready = true;
    if (services->pool != NULL && services->pool->fd == fd)
        services->pool->ready = true;
}

/*
 * Milliseconds from the loop's time of the last look; -1: nothing to wait for.
 * Besides a due timer, it is 0 for handles that were started and that only uv_run()
 * makes known to the kernel, and for closing ones. libuv says 0, too, where no
 * handle keeps the loop alive: the unreferenced ones want their turn all the same.
 */
static int get_timeout(sel__nested *nested)
{
    int ms;

    uv_prepare_start(&nested->keeper, keep_alive);
    ms = uv_backend_timeout(&nested->uv);
    uv_prepare_stop(&nested->keeper);
    return ms;
}

static bool has_to_run(sel__nested *nested)
{
    uv_update_time(&nested->uv);
    return nested->ready || get_timeout(nested) == 0;
}

static void collect(sel__nested *nested)
{
    if (nested == NULL || !has_to_run(nested))
        return;
    if (!nested->shared) {
        run(nested);
    } else if (!nested->due) {
        nested->due = true;
        nested->services->sel->recorded++;
    }
}

void sel__services_collect(sel__services *services)
{
    collect(services->main);
    collect(services->pool);
}

/*
 * To the nanosecond, from the loop's time of the last look. libuv may count by
 * a coarser clock that has not got there yet when ours has: then a little more.
 */
int64_t sel__services_sleep(const sel__services *services)
{
    sel__nested *nested = services->main;
    int ms = nested != NULL ? get_timeout(nested) : -1;
    int64_t left;

    if (ms < 0)
        return SEL__FOREVER;
    left = ((int64_t)uv_now(&nested->uv) + ms) * SEL__NS_PER_MS - sel__now();
    return left > 0 ? left : SEL__NS_PER_MS / 10;
}

int sel__services_dispatch(sel__services *services)
{
    sel__nested *nested = services->main;
    int called;

    if (nested != NULL && nested->due) {
        nested->due = false;
        services->sel->recorded--;
        run(nested);
    }
    called = sel__timers_dispatch(services);
    called += sel__signals_dispatch(services);
    return called + sel__jobs_dispatch(services);
}

/* A handle that is being closed counts for libuv, so that is ended first. */
bool sel__services_are_alive(sel__services *services)
{
    sel__services_collect(services);
    return services->sel->recorded > 0 ||
           (services->main != NULL && uv_loop_alive(&services->main->uv)) ||
           (services->pool != NULL && uv_loop_alive(&services->pool->uv));
}

/* --- forking and closing --- */

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

static void check(sel__nested *nested)
{
    if (nested == NULL || nested->gone || sel__loop_is_own(&nested->uv))
        return;
    nested->gone = true;
    unwatch(nested);
}

void sel__services_check(sel__services *services)
{
    check(services->pool);
    check(services->main);
}

static int follow_fork(sel__nested *nested)
{
    int error;

    if (nested == NULL)
        return 0;
    unwatch(nested);
    error = fork_nested(nested);
    return error < 0 ? error : watch(nested);
}

int sel__services_after_fork(sel__services *services)
{
    bool abandoned = sel__jobs_abandon(services);
    int error;

    if (services->pool != NULL && (abandoned || services->pool->gone)) {
        /* a new loop is made with the next job */
        unwatch(services->pool);
        leave_behind(services->pool);
        services->pool = NULL;
    }
    sel__signals_forget(services);
    error = follow_fork(services->pool);
    if (error == 0)
        error = follow_fork(services->main);
    return error < 0 ? error : sel__signals_restart(services);
}

/* false: the loop is left behind, and all that libuv has in it. */
static bool end_nested(sel__nested *nested, bool forked)
{
    if (nested == NULL)
        return true;
    close_duplicate(nested);
    if (forked && fork_nested(nested) < 0) {
        leave_behind(nested);
        return false;
    }
    close_nested(nested);
    return true;
}

/* The selector's backend is closed by now: nothing is watched any more. */
void sel__services_close(sel__services *services, bool forked)
{
    sel__signals_close(services);
    if (forked && sel__jobs_abandon(services))
        leave_behind(services->pool);
    else
        end_nested(services->pool, forked);
    if (!end_nested(services->main, forked))
        return;
    sel__timers_free(services);
    sel__signals_free(services);
    free(services);
}
