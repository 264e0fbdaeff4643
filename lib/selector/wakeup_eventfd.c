/* SPDX-License-Identifier: MIT */
#include "selector/wakeup.h"

#include "base/own.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

int sel__wakeup_open(sel__wakeup *wakeup)
{
    wakeup->out = -1;
    atomic_init(&wakeup->pending, false);
    atomic_init(&wakeup->requested, false);
    atomic_init(&wakeup->senders, 0);
    return sel__own(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), &wakeup->fd);
}

void sel__wakeup_close(sel__wakeup *wakeup)
{
    sel__close_own(&wakeup->fd);
}

/*
 * read() and write() are cancellation points: a thread cancelled in the middle of this
 * would leave the flag set, or the count of senders too high, for good. syscall() is
 * not one and, unlike pthread_setcancelstate(), may be called in a signal handler.
 *
 * Adding 1 to an eventfd fails if the program has closed it, or after 2^64 - 2
 * additions, and the flag lets only one in at a time.
 */
void sel__wakeup_write(sel__wakeup *wakeup)
{
    const uint64_t one = 1;
    int saved = errno;

    if (syscall(SYS_write, wakeup->fd, &one, sizeof one) < 0)
        atomic_store(&wakeup->pending, false);
    errno = saved;
}

void sel__wakeup_empty(sel__wakeup *wakeup)
{
    uint64_t count;

    syscall(SYS_read, wakeup->fd, &count, sizeof count);
}
