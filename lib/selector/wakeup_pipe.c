/* SPDX-License-Identifier: MIT */
#include "selector/wakeup.h"

#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

int sel__wakeup_open(sel__wakeup *wakeup)
{
    int ends[] = {-1, -1};
    int error = pipe(ends) < 0 ? -errno : 0;

    for (int i = 0; i < 2 && error == 0; i++) {
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        fcntl(ends[i], F_SETFL, O_NONBLOCK);
        ends[i] = sel__own(ends[i]);
    }
    wakeup->fd = ends[0];
    wakeup->out = ends[1];
    atomic_init(&wakeup->pending, false);
    atomic_init(&wakeup->requested, false);
    atomic_init(&wakeup->senders, 0);
    if (error == 0)
        error = ends[0] < 0 ? ends[0] : ends[1] < 0 ? ends[1] : 0;
    if (error < 0)
        sel__wakeup_close(wakeup);
    return error;
}

void sel__wakeup_close(sel__wakeup *wakeup)
{
    sel__close_own(wakeup->fd);
    sel__close_own(wakeup->out);
    wakeup->fd = wakeup->out = -1;
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
