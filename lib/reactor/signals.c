/* SPDX-License-Identifier: MIT */
/*
 * A selector's signal handlers: one uv_signal_t for every signal that it handles.
 *
 * All that is here is the selector's thread's: handlers[], what they call, the queue
 * of those that have come. What threads share is dispositions.c's, which also stops,
 * in a forked child, what its parent had started: a child's handlers hear nothing
 * until the selector follows.
 */
#include "reactor/loops.h"

#include "selector/call.h"
#include "uv/dispositions.h"

#include <stdlib.h>

struct sel__handler {
    sel__item item; /* among those that have come */
    sel__listener listener;
    sel_task *task; /* NULL: removed, or not added yet */
    void *data;
    bool come;   /* queued, and not dispatched yet */
    bool closed; /* its handle, after it was removed */
};

static void on_signal(uv_signal_t *handle, int signum)
{
    sel__services *services = sel__services_of(handle->loop);
    sel__handler *handler = handle->data;

    (void)signum;
    if (handler->come)
        return;
    handler->come = true;
    sel__record(services, &services->signals.come, &handler->item);
}

int sel__signals_restart(sel__services *services)
{
    int error = 0;

    for (int signum = 1; signum < NSIG && error == 0; signum++) {
        sel__handler *handler = services->signals.handlers[signum];

        if (handler != NULL && handler->task != NULL)
            error = sel__listen(&handler->listener, on_signal, signum);
    }
    return error;
}

static int get_handler(sel__services *services, int signum, sel__handler **ret_handler)
{
    sel__handler *handler = services->signals.handlers[signum];
    int error;

    if (handler == NULL) {
        handler = calloc(1, sizeof *handler);
        if (handler == NULL)
            return -ENOMEM;
        /* It opens nothing: the loop has had its pipe from the beginning. */
        error = uv_signal_init(&services->main->uv, &handler->listener.uv);
        if (error < 0) {
            free(handler);
            return error;
        }
        handler->listener.uv.data = handler;
        services->signals.handlers[signum] = handler;
    }
    *ret_handler = handler;
    return 0;
}

int sel_add_signal_handler(sel_selector *sel, int signum, sel_task *task, void *data)
{
    sel__services *services;
    sel__handler *handler = NULL;
    int error;

    if (sel == NULL || task == NULL || signum < 1 || signum >= NSIG)
        return -EINVAL;
    error = sel__get_main_loop(sel, __func__, &services);
    if (error == 0)
        error = get_handler(services, signum, &handler);
    if (error == 0)
        error = sel__listen(&handler->listener, on_signal, signum);
    if (error < 0)
        return error;
    handler->task = task;
    handler->data = data;
    sel__revive(sel);
    return 0;
}

/* Whichever comes last frees it: the end of its handle, or of its place in the queue. */
static void on_closed(uv_handle_t *handle)
{
    sel__handler *handler = handle->data;

    handler->closed = true;
    if (!handler->come)
        free(handler);
}

/*
 * A handler that is added again gets a handle of its own: what is still on its
 * way to this one, in libuv's pipe or in our queue, is never delivered.
 */
int sel_remove_signal_handler(sel_selector *sel, int signum)
{
    int error = sel__enter(sel, __func__);
    sel__handler *handler = NULL;

    if (error < 0)
        return error;
    if (signum >= 1 && signum < NSIG && sel->services != NULL)
        handler = sel->services->signals.handlers[signum];
    if (handler == NULL || handler->task == NULL)
        return -ENOENT;
    sel__unlisten(&handler->listener);
    sel->services->signals.handlers[signum] = NULL;
    sel->recorded -= handler->come;
    handler->task = NULL;
    uv_close((uv_handle_t *)&handler->listener.uv, on_closed);
    return 0;
}

int sel__signals_dispatch(sel__services *services)
{
    sel__item *come = sel__queue_take(&services->signals.come);
    int called = 0;

    while (come != NULL && !sel__is_foreign(services->sel)) {
        sel__handler *handler = (sel__handler *)come;

        come = come->next;
        handler->come = false;
        if (handler->task != NULL) {
            services->sel->recorded--;
            sel__call_task(services->sel, handler->task, handler->data, "signal");
            called++;
        } else if (handler->closed) {
            free(handler);
        }
    }
    sel__queue_put_back(&services->signals.come, come);
    return called;
}

void sel__signals_close(sel__services *services)
{
    for (int signum = 1; signum < NSIG; signum++)
        if (services->signals.handlers[signum] != NULL)
            sel__unlisten(&services->signals.handlers[signum]->listener);
}

void sel__signals_forget(sel__services *services)
{
    sel__item *come = sel__queue_take(&services->signals.come);

    while (come != NULL) {
        sel__handler *handler = (sel__handler *)come;

        come = come->next;
        handler->come = false;
        if (handler->task != NULL)
            services->sel->recorded--;
        else if (handler->closed)
            free(handler);
    }
}

void sel__signals_free(sel__services *services)
{
    sel__signals_forget(services);
    for (int signum = 1; signum < NSIG; signum++)
        free(services->signals.handlers[signum]);
}
