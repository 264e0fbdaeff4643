/* SPDX-License-Identifier: MIT */
#include "base/set.h"

#include "base/descriptor.h"
#include "base/kqueue.h"
#include "base/os.h"
#include "base/own.h"

#include <errno.h>
#include <unistd.h>

int sel__set_open(int *place)
{
    return sel__kqueue_open(place);
}

/* The number may be free by now: a forked child has no set. */
int sel__set_renew(int *place)
{
    int number = *place, fresh = kqueue();
    int error = 0;

    if (fresh < 0)
        return -errno;
    if (fresh != number && dup3(fresh, number, O_CLOEXEC) < 0)
        error = -errno;
    if (fresh != number)
        close(fresh);
    if (error == 0)
        error = sel__own_until_fork(number, place);
    *place = number; /* after a failure it is free again, for the next attempt */
    return error;
}

bool sel__set_is_ours(int number)
{
    return sel__is_own(number) || !sel__is_open(number);
}

int sel__set_add(int set, int fd)
{
    struct kevent change = sel__kevent(fd, EVFILT_READ, EV_ADD);

    return sel__kqueue_add(set, &change, 1);
}

void sel__set_remove(int set, int fd)
{
    sel__kqueue_tell_one(set, fd, EVFILT_READ, EV_DELETE);
}
