/* SPDX-License-Identifier: MIT */
/*
 * The services together, as the selector sees them: a wait records what is due, and a
 * dispatch runs it.
 */
#include "reactor/services.h"

#include "base/clock.h"

#include <selkie/uv.h>

#include <stdlib.h>

static sel__reactor *reactor_of(sel__services *services)
{
    return (sel__reactor *)services;
}

/* --- waiting and dispatching --- */

/* Did it get its first prepare or check handle since it last ran? These run in every pass. */
static bool has_new_hooks(sel__nested *nested)
{
    bool hooked = nested->hooked;

    nested->hooked = hooked && sel__has_hooks(nested);
    return !hooked && sel__has_hooks(nested);
}

static bool has_to_run(sel__nested *nested)
{
    uv_update_time(&nested->loop.uv);
    return nested->phase != SEL__NESTED_IDLE || sel__nested_timeout(nested) == 0 ||
           has_new_hooks(nested);
}

static void collect(sel__nested *nested)
{
    if (nested == NULL || !has_to_run(nested))
        return;
    if (!nested->shared) {
        sel__run_nested(nested);
    } else if (nested->phase != SEL__NESTED_DUE) {
        nested->phase = SEL__NESTED_DUE;
        nested->sel->recorded++;
    }
}

/*
 * Nobody tells us what the program does with a loop that it has, so that one is looked
 * at in every pass.
 */
static void collect_all(sel__services *services)
{
    sel__reactor *reactor = reactor_of(services);

    collect(reactor->main);
    collect(reactor->pool);
    reactor->sel->restless = reactor->main != NULL && reactor->main->shared;
}

/*
 * Only called for a shared loop. libuv's clock may be coarser than ours and not have
 * got there yet when ours has: then wait a little more.
 */
static int64_t get_due(sel__services *services)
{
    sel__nested *nested = reactor_of(services)->main;
    int ms = sel__nested_timeout(nested);
    int64_t due, now;

    if (ms < 0)
        return SEL__FOREVER;
    due = ((int64_t)uv_now(&nested->loop.uv) + ms) * SEL__NS_PER_MS;
    now = sel__now();
    return due > now ? due : now + SEL__NS_PER_MS / 10;
}

/* Prepare and check handles run in every pass, so they make the loop due as well. */
static bool is_due(sel__nested *nested)
{
    if (nested == NULL || !nested->shared)
        return false;
    if (nested->phase != SEL__NESTED_DUE)
        return sel__has_hooks(nested);
    nested->sel->recorded--;
    return true;
}

static int dispatch(sel__services *services)
{
    sel__reactor *reactor = reactor_of(services);
    int called;

    if (is_due(reactor->main))
        sel__run_nested(reactor->main);
    called = sel__signals_dispatch(reactor);
    return called + sel__jobs_dispatch(reactor);
}

/* libuv counts a handle that is closing as alive, so closing is finished first. */
static bool are_alive(sel__services *services)
{
    sel__reactor *reactor = reactor_of(services);

    collect_all(services);
    return reactor->sel->recorded > 0 ||
           (reactor->main != NULL && uv_loop_alive(&reactor->main->loop.uv)) ||
           (reactor->pool != NULL && uv_loop_alive(&reactor->pool->loop.uv));
}

/* --- forking and closing --- */

static void check(sel__services *services)
{
    sel__reactor *reactor = reactor_of(services);

    if (reactor->pool != NULL)
        sel__check_nested(reactor->pool);
    if (reactor->main != NULL)
        sel__check_nested(reactor->main);
}

static int after_fork(sel__services *services)
{
    sel__reactor *reactor = reactor_of(services);
    bool abandoned = sel__jobs_abandon(reactor);
    int error = 0;

    reactor->sel->restless = true;
    if (reactor->pool != NULL && (abandoned || reactor->pool->loop.state == SEL__LOOP_GONE)) {
        /* the next job makes a new loop */
        sel__unwatch_nested(reactor->pool);
        sel__loop_leave_behind(&reactor->pool->loop);
        reactor->pool = NULL;
    }
    sel__signals_forget(reactor);
    if (reactor->pool != NULL)
        error = sel__follow_fork(reactor->pool);
    if (error == 0 && reactor->main != NULL)
        error = sel__follow_fork(reactor->main);
    return error < 0 ? error : sel__signals_restart(reactor);
}

static void end_jobs(sel__services *services)
{
    sel__jobs_end(reactor_of(services));
}

static void close_all(sel__services *services, bool forked)
{
    sel__reactor *reactor = reactor_of(services);

    sel__signals_close(reactor);
    if (forked && sel__jobs_abandon(reactor))
        sel__loop_leave_behind(&reactor->pool->loop);
    else if (reactor->pool != NULL)
        sel__end_nested(reactor->pool, forked);
    if (reactor->main != NULL && !sel__end_nested(reactor->main, forked))
        return;
    sel__signals_free(reactor);
    free(reactor);
}

static const sel__services_table table = {
    .collect = collect_all,
    .due = get_due,
    .dispatch = dispatch,
    .are_alive = are_alive,
    .check = check,
    .after_fork = after_fork,
    .end_jobs = end_jobs,
    .close = close_all,
};

/* --- made when they are first needed --- */

static int get_reactor(sel_selector *sel, const char *call, sel__reactor **ret_reactor)
{
    int error = sel__enter(sel, call);
    sel__reactor *reactor;

    if (error < 0)
        return error;
    reactor = sel__reactor_of(sel);
    if (reactor == NULL) {
        reactor = calloc(1, sizeof *reactor);
        if (reactor == NULL)
            return -ENOMEM;
        reactor->services.table = &table;
        reactor->sel = sel;
        sel->services = &reactor->services;
    }
    sel->restless = true; /* because of what is about to be done with a loop */
    *ret_reactor = reactor;
    return 0;
}

int sel__get_main_loop(sel_selector *sel, const char *call, sel__reactor **ret_reactor)
{
    int error = get_reactor(sel, call, ret_reactor);

    if (error == 0 && (*ret_reactor)->main == NULL)
        error = sel__open_nested(sel, *ret_reactor, &(*ret_reactor)->main);
    return error;
}

int sel__get_pool_loop(sel_selector *sel, const char *call, sel__reactor **ret_reactor)
{
    int error = get_reactor(sel, call, ret_reactor);

    if (error == 0 && (*ret_reactor)->pool == NULL)
        error = sel__open_nested(sel, *ret_reactor, &(*ret_reactor)->pool);
    return error;
}

struct uv_loop_s *sel_loop(sel_selector *sel)
{
    sel__reactor *reactor;

    if (sel__get_main_loop(sel, __func__, &reactor) < 0)
        return NULL;
    reactor->main->shared = true;
    return &reactor->main->loop.uv;
}
