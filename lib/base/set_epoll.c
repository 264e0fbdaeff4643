/* SPDX-License-Identifier: MIT */
#include "base/set.h"

#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

int sel__set_open(int *place)
{
    return sel__own(epoll_create1(EPOLL_CLOEXEC), place);
}

/* By dup3(), because nothing else may get the number in between. */
int sel__set_renew(int *place)
{
    int fresh = epoll_create1(EPOLL_CLOEXEC);
    int error = 0;

    if (fresh < 0)
        return -errno;
    if (dup3(fresh, *place, O_CLOEXEC) < 0)
        error = -errno;
    close(fresh);
    return error;
}

bool sel__set_is_ours(int number)
{
    return sel__is_own(number);
}

/* With the number in `data`, as libuv does in its loops' sets. */
int sel__set_add(int set, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0 &&
        (errno != EEXIST || epoll_ctl(set, EPOLL_CTL_MOD, fd, &event) < 0))
        return -errno;
    return 0;
}

void sel__set_remove(int set, int fd)
{
    epoll_ctl(set, EPOLL_CTL_DEL, fd, &(struct epoll_event){0});
}
