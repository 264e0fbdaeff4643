/* SPDX-License-Identifier: MIT */
/*
 * Guard 15. libuv owns a signal's disposition while anyone has a handle for it, and
 * leaves SIG_DFL behind when the last one stops. What was there before our first handle
 * is kept here and restored then. The exception is libuv's own handler, for a handle of
 * the program's or of another copy of this library: that handle may be gone by then,
 * and SIG_DFL is what libuv would have left. Whatever the program has installed since
 * stays.
 *
 * Any thread may come here. Everything here, and everything in a listener except its
 * handle's place on the loop, is touched only under the lock.
 */
#include "uv/dispositions.h"

#include "uv/apart.h"
#include "base/fork.h"
#include "base/lock.h"
#include "uv/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

static struct {
    int started; /* listeners */
    struct sigaction before;
    struct sigaction libuvs;
} dispositions[NSIG];

static sel__listener *started;
static unsigned int forks; /* the process that they are in */
static bool watching_forks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_default(int signum)
{
    struct sigaction now = {.sa_handler = SIG_DFL};

    sigaction(signum, NULL, &now);
    return now.sa_handler == SIG_DFL;
}

/* --- stopping libuv's last handle --- */

typedef struct {
    sel__listener *listener;
    bool was_last;
} leaving;

static int leave(void *data)
{
    leaving *it = data;

    uv_signal_stop(&it->listener->uv);
    it->was_last = is_default(it->listener->signum);
    return 0;
}

/*
 * libuv sets SIG_DFL before anything else can be restored, and a signal that another
 * thread gets in between would end the process. So this is done in a separate process,
 * and here only if that had no effect.
 */
static void leave_apart(leaving *it)
{
    sel__call_apart(leave, it);
    if (uv_is_active((uv_handle_t *)&it->listener->uv))
        leave(it);
}

static void stop_last(sel__listener *listener)
{
    int signum = listener->signum;
    struct sigaction after = dispositions[signum].before, now;
    leaving it = {.listener = listener};
    sigset_t all, mask;

    if (sigaction(signum, NULL, &now) == 0 &&
        now.sa_handler != dispositions[signum].libuvs.sa_handler)
        after = now;
    sigfillset(&all); /* in a single-threaded process nothing comes in between */
    pthread_sigmask(SIG_BLOCK, &all, &mask);
    if (after.sa_handler == SIG_DFL)
        leave(&it);
    else
        leave_apart(&it);
    if (it.was_last)
        sigaction(signum, &after, NULL);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

/* A child that has closed everything has closed libuv's lock too, so libuv is left out. */
static void forsake(int signum, bool is_last)
{
    if (is_last)
        sigaction(signum, &dispositions[signum].before, NULL);
}

static void stop(sel__listener *listener)
{
    sel__listener **link = &started;
    bool is_last;

    while (*link != listener)
        link = &(*link)->next;
    *link = listener->next;
    listener->started = false;
    is_last = --dispositions[listener->signum].started == 0;
    if (!sel__loop_check((sel__loop *)listener->uv.loop))
        forsake(listener->signum, is_last);
    else if (is_last)
        stop_last(listener);
    else
        uv_signal_stop(&listener->uv);
}

/* --- forks --- */

/*
 * While libuv has one of the parent's handles for a signal, it would install nothing
 * for the child's; and one of the child's signals would go through the pipe that libuv
 * shares with the parent, to the parent's handler. Of the threads that own those
 * handles, the child has at most the one that forked.
 */
static void leave_parents(void)
{
    if (forks == sel__forks())
        return;
    while (started != NULL)
        stop(started);
    forks = sel__forks();
}

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void in_parent(void)
{
    pthread_mutex_unlock(&lock);
}

/* libuv's own lock is usable again by now: libuv began to watch forks before us. */
static void in_child(void)
{
    leave_parents();
    pthread_mutex_unlock(&lock);
}

static int watch_forks(void)
{
    int error = watching_forks ? 0 : pthread_atfork(before_fork, in_parent, in_child);

    watching_forks = error == 0;
    return -error;
}

/* --- what is called from outside --- */

/*
 * A handler that was there before and still is, now that libuv has installed its own,
 * is libuv's.
 */
static void note_disposition(int signum, const struct sigaction *before)
{
    struct sigaction now = *before;

    sigaction(signum, NULL, &now);
    dispositions[signum].libuvs = now;
    dispositions[signum].before = *before;
    if (now.sa_handler == before->sa_handler)
        dispositions[signum].before = (struct sigaction){.sa_handler = SIG_DFL};
}

static int start(sel__listener *listener, uv_signal_cb callback, int signum)
{
    struct sigaction before = {.sa_handler = SIG_DFL};
    int error = watch_forks();

    if (error == 0 && sigaction(signum, NULL, &before) < 0)
        error = -errno;
    if (error == 0)
        error = uv_signal_start(&listener->uv, callback, signum);
    if (error < 0)
        return error;
    if (dispositions[signum].started++ == 0)
        note_disposition(signum, &before);
    listener->signum = signum;
    listener->started = true;
    listener->next = started;
    started = listener;
    return 0;
}

int sel__listen(sel__listener *listener, uv_signal_cb callback, int signum)
{
    int cancelling = sel__lock(&lock);
    int error = 0;

    leave_parents();
    if (!listener->started)
        error = start(listener, callback, signum);
    sel__unlock(&lock, cancelling);
    return error;
}

void sel__unlisten(sel__listener *listener)
{
    int cancelling = sel__lock(&lock);

    leave_parents();
    if (listener->started)
        stop(listener);
    sel__unlock(&lock, cancelling);
}
