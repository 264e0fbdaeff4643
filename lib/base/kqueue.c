/* SPDX-License-Identifier: MIT */
#include "base/kqueue.h"

#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Closed by exec(), as far as two calls can do it. */
int sel__kqueue_open(int *place)
{
    int queue = kqueue();

    if (queue >= 0)
        fcntl(queue, F_SETFD, FD_CLOEXEC);
    return sel__own_until_fork(queue, place);
}

int sel__kqueue_tell(int queue, struct kevent *changes, int count)
{
    int error = 0, told;

    for (int i = 0; i < count; i++)
        changes[i].flags |= EV_RECEIPT;
    told = kevent(queue, changes, count, changes, count, NULL);
    if (told < 0)
        return -errno;
    for (int i = told; i > 0; i--)
        if (changes[i - 1].data != 0)
            error = -(int)changes[i - 1].data;
    return error;
}

int sel__kqueue_tell_one(int queue, int fd, int filter, int flags)
{
    struct kevent change = sel__kevent(fd, filter, flags);

    return sel__kqueue_tell(queue, &change, 1);
}

/* Regular files are taken, and said to be ready; for many devices there is no filter. */
int sel__kqueue_add(int queue, struct kevent *changes, int count)
{
    struct stat status;
    int error;

    if (fstat((int)changes->ident, &status) < 0)
        return -errno;
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode))
        return -EPERM;
    error = sel__kqueue_tell(queue, changes, count);
    if (error == -EINVAL || error == -ENODEV || error == -EOPNOTSUPP)
        return S_ISCHR(status.st_mode) ? -EPERM : -ELOOP;
    return error;
}

/*
 * macOS's poll(2) calls it a hang-up when the other's direction has ended. Of the own one
 * a queue is asked that is for this alone: in any other its events would be mixed up.
 */
bool sel__kqueue_says_hung_up(int fd)
{
    struct kevent event = sel__kevent(fd, EVFILT_WRITE, EV_ADD);
    struct pollfd polled = {.fd = fd};
    int queue, count;

    if (poll(&polled, 1, 0) <= 0 || !(polled.revents & (POLLHUP | POLLERR)))
        return false;
    queue = kqueue();
    if (queue < 0)
        return true; /* there is nobody else to ask */
    count = kevent(queue, &event, 1, &event, 1, &(struct timespec){0});
    close(queue);
    return count > 0 && (event.flags & (EV_EOF | EV_ERROR));
}
