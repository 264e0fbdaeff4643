/* SPDX-License-Identifier: MIT */
#include "selector/wakeup.h"

#include "base/own.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

int sel__wakeup_open(sel__wakeup *wakeup)
{
    wakeup->fd = sel__own(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    atomic_init(&wakeup->pending, false);
    atomic_init(&wakeup->requested, false);
    atomic_init(&wakeup->senders, 0);
    return wakeup->fd >= 0 ? 0 : wakeup->fd;
}

void sel__wakeup_close(sel__wakeup *wakeup)
{
    sel__close_own(wakeup->fd);
    wakeup->fd = -1;
}

void sel__wakeup_wait_for_senders(sel__wakeup *wakeup)
{
    while (atomic_load(&wakeup->senders) > 0)
        sched_yield();
}

/*
 * read() and write() are where a thread may be cancelled (pthread_cancel), and one
 * that is so in the middle of this would leave the flag up, or the count of senders,
 * for good. syscall() is no such place, and may be called from a signal handler, as
 * pthread_setcancelstate() may not.
 *
 * Adding 1 to an eventfd fails when 2^64 - 2 were added before, and the flag lets
 * one in at a time, or when the program has closed it.
 */
void sel__wakeup_write(sel__wakeup *wakeup)
{
    const uint64_t one = 1;
    int saved = errno;

    if (syscall(SYS_write, wakeup->fd, &one, sizeof one) < 0)
        atomic_store(&wakeup->pending, false);
    errno = saved;
}

void sel__wakeup_request(sel__wakeup *wakeup)
{
    atomic_store(&wakeup->requested, true);
    sel__wakeup_send(wakeup);
}

/*
 * The descriptor is emptied before the flag falls: the other way round a sender
 * between the two would find its byte eaten and the flag up for good.
 */
void sel__wakeup_receive(sel__wakeup *wakeup)
{
    uint64_t count;

    syscall(SYS_read, wakeup->fd, &count, sizeof count);
    atomic_exchange(&wakeup->pending, false);
}

bool sel__wakeup_take_request(sel__wakeup *wakeup)
{
    return atomic_exchange(&wakeup->requested, false);
}
