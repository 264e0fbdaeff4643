/* SPDX-License-Identifier: MIT */
#include "selector/wakeup.h"

#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

int sel__wakeup_open(sel__wakeup *wakeup)
{
    int ends[2], error, other;

    wakeup->fd = wakeup->out = -1;
    atomic_init(&wakeup->pending, false);
    atomic_init(&wakeup->requested, false);
    atomic_init(&wakeup->senders, 0);
    if (pipe(ends) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        fcntl(ends[i], F_SETFL, O_NONBLOCK);
    }
    error = sel__own(ends[0], &wakeup->fd);
    other = sel__own(ends[1], &wakeup->out);
    if (error == 0)
        error = other;
    if (error < 0)
        sel__wakeup_close(wakeup);
    return error;
}

void sel__wakeup_close(sel__wakeup *wakeup)
{
    sel__close_own(&wakeup->fd);
    sel__close_own(&wakeup->out);
}

/*
 * As wakeup_eventfd.c has it, a thread is not cancelled in here. Where a pipe is what
 * there is, forbidding that only changes a flag, also in a signal handler.
 */
void sel__wakeup_write(sel__wakeup *wakeup)
{
    int saved = errno, cancelling;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    if (write(wakeup->out, "", 1) < 0)
        atomic_store(&wakeup->pending, false);
    pthread_setcancelstate(cancelling, NULL);
    errno = saved;
}

/* The flag lets in one at a time. */
void sel__wakeup_empty(sel__wakeup *wakeup)
{
    char bytes[64];
    int cancelling;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    read(wakeup->fd, bytes, sizeof bytes);
    pthread_setcancelstate(cancelling, NULL);
}
