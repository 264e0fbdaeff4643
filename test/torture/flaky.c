/* SPDX-License-Identifier: MIT */
/*
 * The bad day of a server: linked around it, three calls of ten are interrupted or
 * find nothing, and what goes through takes one byte at a time. TEST_SEED says
 * which.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>

enum { PERCENT = 30 };

/* splitmix64. One thread serves, so nothing guards the state. */
static unsigned int draw(unsigned int end)
{
    static uint64_t state;
    static bool seeded;
    uint64_t z;

    if (!seeded) {
        const char *seed = getenv("TEST_SEED");

        state = seed != NULL ? strtoull(seed, NULL, 0) : 0;
        seeded = true;
    }
    z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (unsigned int)((z ^ (z >> 31)) % end);
}

static bool is_interrupted(void)
{
    errno = EINTR;
    return draw(100) < PERCENT;
}

static bool is_disturbed(void)
{
    errno = draw(2) == 0 ? EINTR : EAGAIN;
    return draw(100) < PERCENT;
}

#define WRAP(result, name, parameters, disturbs, arguments)                    \
    result __real_##name parameters;                                           \
    result __wrap_##name parameters;                                           \
    result __wrap_##name parameters                                            \
    {                                                                          \
        return disturbs() ? -1 : __real_##name arguments;                      \
    }

WRAP(ssize_t, recv, (int fd, void *bytes, size_t length, int flags), is_disturbed,
     (fd, bytes, length > 1 ? 1 : length, flags))
WRAP(ssize_t, send, (int fd, const void *bytes, size_t length, int flags), is_disturbed,
     (fd, bytes, length > 1 ? 1 : length, flags))
WRAP(int, accept4, (int fd, struct sockaddr *address, socklen_t *length, int flags),
     is_disturbed, (fd, address, length, flags))
WRAP(int, epoll_wait, (int set, struct epoll_event *events, int capacity, int timeout),
     is_interrupted, (set, events, capacity, timeout))
WRAP(int, epoll_pwait2,
     (int set, struct epoll_event *events, int capacity, const struct timespec *timeout,
      const sigset_t *mask),
     is_interrupted, (set, events, capacity, timeout, mask))
WRAP(int, poll, (struct pollfd *fds, nfds_t count, int timeout), is_interrupted,
     (fds, count, timeout))
WRAP(int, ppoll,
     (struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask),
     is_interrupted, (fds, count, timeout, mask))
WRAP(int, pselect,
     (int limit, fd_set *readers, fd_set *writers, fd_set *excepts,
      const struct timespec *timeout, const sigset_t *mask),
     is_interrupted, (limit, readers, writers, excepts, timeout, mask))
