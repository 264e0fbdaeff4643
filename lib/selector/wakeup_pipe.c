/* SPDX-License-Identifier: MIT */
#include "selector/wakeup.h"

#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

static int own_end(int fd)
{
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
        int error = -errno;

        close(fd);
        return error;
    }
    return sel__own(fd);
}

int sel__wakeup_open(sel__wakeup *wakeup)
{
    int ends[2];

    atomic_init(&wakeup->pending, false);
    atomic_init(&wakeup->requested, false);
    atomic_init(&wakeup->senders, 0);
    wakeup->fd = wakeup->out = -1;
    if (pipe(ends) < 0)
        return -errno;
    wakeup->fd = own_end(ends[0]);
    wakeup->out = own_end(ends[1]);
    if (wakeup->fd >= 0 && wakeup->out >= 0)
        return 0;
    ends[0] = wakeup->fd < 0 ? wakeup->fd : wakeup->out;
    sel__wakeup_close(wakeup);
    return ends[0];
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

void sel__wakeup_empty(sel__wakeup *wakeup)
{
    char bytes[64];
    int cancelling;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    while (read(wakeup->fd, bytes, sizeof bytes) == sizeof bytes)
        continue;
    pthread_setcancelstate(cancelling, NULL);
}
