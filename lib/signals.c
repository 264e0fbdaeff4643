/* SPDX-License-Identifier: MIT */
/*
 * Signal handlers: one uv_signal_t for every signal that a selector handles.
 *
 * libuv leaves SIG_DFL behind when its last handle for a signal stops. The
 * disposition from before the first is kept here, for the whole process, and
 * put back.
 */
#include "services_uv.h"

#include "call.h"
#include "loop.h"

#include <pthread.h>
#include <stdlib.h>

struct sel__handler {
    sel__item item; /* among those that have come */
    uv_signal_t uv;
    sel_task *task; /* NULL: removed, or not added yet */
    void *data;
    int signum;
    unsigned int forks; /* sel__forks when it was started */
    bool started;
    bool come;   /* queued, and not dispatched yet */
    bool closed; /* its handle, after it was removed */
};

static struct {
    int started; /* handlers, of all selectors */
    struct sigaction before;
} dispositions[NSIG];

static sel__services *services_with_handlers;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool watching_forks;

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void in_parent(void)
{
    pthread_mutex_unlock(&lock);
}

/*
 * Until a selector follows the fork, a signal of the child's would go through
 * the pipe that libuv shares with the parent, to the parent's handler.
 */
static void in_child(void)
{
    for (int signum = 1; signum < NSIG; signum++)
        if (dispositions[signum].started > 0)
            sigaction(signum, &dispositions[signum].before, NULL);
    pthread_mutex_unlock(&lock);
}

/* With the lock held. */
static int watch_forks(void)
{
    int error = watching_forks ? 0 : pthread_atfork(before_fork, in_parent, in_child);

    watching_forks = error == 0;
    return -error;
}

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

/* With the lock held. */
static int start(sel__handler *handler)
{
    int signum = handler->signum;
    int error;

    if (dispositions[signum].started == 0 &&
        sigaction(signum, NULL, &dispositions[signum].before) < 0)
        return -errno;
    error = uv_signal_start(&handler->uv, on_signal, signum);
    if (error < 0)
        return error;
    dispositions[signum].started++;
    handler->started = true;
    handler->forks = sel__forks;
    return 0;
}

/*
 * With the lock held. Only SIG_DFL is replaced: anything else was put there by
 * the program, or is libuv's, for a handle that is not ours.
 */
static void stop(sel__handler *handler)
{
    struct sigaction now;
    int signum = handler->signum;

    if (!handler->started)
        return;
    uv_signal_stop(&handler->uv);
    handler->started = false;
    if (--dispositions[signum].started > 0)
        return;
    if (sigaction(signum, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
        sigaction(signum, &dispositions[signum].before, NULL);
}

/* With the lock held. */
static void stop_all(sel__services *services, bool from_before_fork)
{
    for (int signum = 1; signum < NSIG; signum++) {
        sel__handler *handler = services->signals.handlers[signum];

        if (handler != NULL && (!from_before_fork || handler->forks != sel__forks))
            stop(handler);
    }
}

/*
 * With the lock held. While libuv has a handle of the parent's for a signal, it
 * would install nothing for the child's.
 */
static void stop_inherited(void)
{
    for (sel__services *each = services_with_handlers; each != NULL; each = each->signals.next)
        stop_all(each, true);
}

void sel__signals_stop_all(void)
{
    pthread_mutex_lock(&lock);
    stop_inherited();
    pthread_mutex_unlock(&lock);
}

int sel__signals_restart(sel__services *services)
{
    int error = 0;

    pthread_mutex_lock(&lock);
    for (int signum = 1; signum < NSIG && error == 0; signum++) {
        sel__handler *handler = services->signals.handlers[signum];

        if (handler != NULL && handler->task != NULL && !handler->started)
            error = start(handler);
    }
    pthread_mutex_unlock(&lock);
    return error;
}

/* With the lock held. */
static void list(sel__services *services)
{
    if (services->signals.listed)
        return;
    services->signals.listed = true;
    services->signals.next = services_with_handlers;
    services_with_handlers = services;
}

static int get_handler(sel__services *services, int signum, sel__handler **ret_handler)
{
    sel__handler *handler = services->signals.handlers[signum];
    int error;

    if (handler == NULL) {
        handler = calloc(1, sizeof *handler);
        if (handler == NULL)
            return -ENOMEM;
        error = sel__init_signal(services->sel, &services->main->uv, &handler->uv);
        if (error < 0) {
            free(handler);
            return error;
        }
        handler->uv.data = handler;
        handler->signum = signum;
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
    if (error != 0)
        return error;
    if (!handler->started) {
        pthread_mutex_lock(&lock);
        stop_inherited();
        list(services);
        error = watch_forks();
        if (error == 0)
            error = start(handler);
        pthread_mutex_unlock(&lock);
    }
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
    pthread_mutex_lock(&lock);
    stop(handler);
    pthread_mutex_unlock(&lock);
    sel->services->signals.handlers[signum] = NULL;
    sel->recorded -= handler->come;
    handler->task = NULL;
    uv_close((uv_handle_t *)&handler->uv, on_closed);
    return 0;
}

int sel__signals_dispatch(sel__services *services)
{
    sel__item *come = sel__queue_take(&services->signals.come);
    int called = 0;

    while (come != NULL) {
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
    return called;
}

void sel__signals_close(sel__services *services)
{
    sel__services **link = &services_with_handlers;

    if (!services->signals.listed)
        return;
    pthread_mutex_lock(&lock);
    stop_all(services, false);
    while (*link != services)
        link = &(*link)->signals.next;
    *link = services->signals.next;
    pthread_mutex_unlock(&lock);
}

void sel__signals_free(sel__services *services)
{
    sel__item *come = sel__queue_take(&services->signals.come);

    while (come != NULL) {
        sel__handler *handler = (sel__handler *)come;

        come = come->next;
        if (handler->task == NULL)
            free(handler);
    }
    for (int signum = 1; signum < NSIG; signum++)
        free(services->signals.handlers[signum]);
}
