/* SPDX-License-Identifier: MIT */
/*
 * A selector's signal handlers: one uv_signal_t for each signal that it handles.
 *
 * Only the selector's thread uses what is in this file: handlers[], what they call, and
 * the queue of signals that have arrived. What threads share is in dispositions.c. That
 * file also stops, in a forked child, whatever the parent had started: a child's
 * handlers get no signals until sel_after_fork().
 */
#include "reactor/services.h"

#include "selector/call.h"
#include "uv/dispositions.h"

#include <stdlib.h>

struct sel__handler {
    sel__item item; /* in the queue of those that have arrived */
    sel__listener listener;
    sel_task *task; /* NULL: removed, or not added yet */
    void *data;
    bool come;   /* queued, not dispatched yet */
    bool closed; /* its handle has been closed, after it was removed */
};

static void on_signal(uv_signal_t *handle, int signum)
{
    sel__reactor *reactor = sel__reactor_on(handle->loop);
    sel__handler *handler = handle->data;

    (void)signum;
    if (handler->come)
        return;
    handler->come = true;
    sel__record(reactor, &reactor->signals.come, &handler->item);
}

int sel__signals_restart(sel__reactor *reactor)
{
    int error = 0;

    for (int signum = 1; signum < NSIG && error == 0; signum++) {
        sel__handler *handler = reactor->signals.handlers[signum];

        if (handler != NULL && handler->task != NULL)
            error = sel__listen(&handler->listener, on_signal, signum);
    }
    return error;
}

static int get_handler(sel__reactor *reactor, int signum, sel__handler **ret_handler)
{
    sel__handler *handler = reactor->signals.handlers[signum];
    int error;

    if (handler == NULL) {
        handler = calloc(1, sizeof *handler);
        if (handler == NULL)
            return -ENOMEM;
        /* This opens nothing: the loop has had its pipe from the beginning. */
        error = uv_signal_init(&reactor->main->loop.uv, &handler->listener.uv);
        if (error < 0) {
            free(handler);
            return error;
        }
        handler->listener.uv.data = handler;
        reactor->signals.handlers[signum] = handler;
    }
    *ret_handler = handler;
    return 0;
}

int sel_add_signal_handler(sel_selector *sel, int signum, sel_task *task, void *data)
{
    sel__reactor *reactor;
    sel__handler *handler = NULL;
    int error;

    if (sel == NULL || task == NULL || signum < 1 || signum >= NSIG)
        return -EINVAL;
    error = sel__get_main_loop(sel, __func__, &reactor);
    if (error == 0)
        error = get_handler(reactor, signum, &handler);
    if (error == 0)
        error = sel__listen(&handler->listener, on_signal, signum);
    if (error < 0)
        return error;
    handler->task = task;
    handler->data = data;
    sel__revive(sel);
    return 0;
}

/* Freed here or when it leaves the queue, whichever comes last. */
static void on_closed(uv_handle_t *handle)
{
    sel__handler *handler = handle->data;

    handler->closed = true;
    if (!handler->come)
        free(handler);
}

/*
 * A handler that is added again gets a new handle: whatever is still on its way to the
 * old one, in libuv's pipe or in our queue, is never delivered.
 */
int sel_remove_signal_handler(sel_selector *sel, int signum)
{
    int error = sel__enter(sel, __func__);
    sel__handler *handler = NULL;
    sel__reactor *reactor;

    if (error < 0)
        return error;
    reactor = sel__reactor_of(sel);
    if (signum >= 1 && signum < NSIG && reactor != NULL)
        handler = reactor->signals.handlers[signum];
    if (handler == NULL || handler->task == NULL)
        return -ENOENT;
    sel__unlisten(&handler->listener);
    reactor->signals.handlers[signum] = NULL;
    sel->recorded -= handler->come;
    handler->task = NULL;
    sel->restless = true; /* so that its handle gets closed */
    uv_close((uv_handle_t *)&handler->listener.uv, on_closed);
    return 0;
}

int sel__signals_dispatch(sel__reactor *reactor)
{
    sel__queue *come = &reactor->signals.come;
    const sel__item *last = come->last; /* what is queued meanwhile runs in the next pass */
    bool more = come->first != NULL;
    int called = 0;

    while (more && !sel__is_foreign(reactor->sel)) {
        sel__item *item = sel__queue_pop(come);
        sel__handler *handler = (sel__handler *)item;

        more = item != last;
        handler->come = false;
        if (handler->task != NULL) {
            reactor->sel->recorded--;
            sel__call_task(reactor->sel, handler->task, handler->data, "signal");
            called++;
        } else if (handler->closed) {
            free(handler);
        }
    }
    return called;
}

void sel__signals_close(sel__reactor *reactor)
{
    for (int signum = 1; signum < NSIG; signum++)
        if (reactor->signals.handlers[signum] != NULL)
            sel__unlisten(&reactor->signals.handlers[signum]->listener);
}

void sel__signals_forget(sel__reactor *reactor)
{
    sel__item *come = sel__queue_take(&reactor->signals.come);

    while (come != NULL) {
        sel__handler *handler = (sel__handler *)come;

        come = come->next;
        handler->come = false;
        if (handler->task != NULL)
            reactor->sel->recorded--;
        else if (handler->closed)
            free(handler);
    }
}

void sel__signals_free(sel__reactor *reactor)
{
    sel__signals_forget(reactor);
    for (int signum = 1; signum < NSIG; signum++)
        free(reactor->signals.handlers[signum]);
}
