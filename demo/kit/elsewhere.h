/* SPDX-License-Identifier: MIT */
/*
 * What the programs use that Linux has and macOS has not, above all descriptors that are
 * close-on-exec, or don't block, from the start: here it takes two calls, and what another
 * thread starts between them inherits the descriptor. Meson includes this where it is
 * needed, before everything else.
 */
#ifndef DEMO_ELSEWHERE_H
#define DEMO_ELSEWHERE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define program_invocation_short_name ((char *)getprogname())
#define ENONET (ELAST + 1) /* no errno */
#define poll(fds, count, timeout) poll(fds, (nfds_t)(count), timeout) /* it is narrow */

#define SOCK_CLOEXEC 0x10000000
#define SOCK_NONBLOCK 0x20000000

static inline int with_flags(int fd, int flags)
{
    if (fd >= 0 && (flags & SOCK_CLOEXEC))
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (fd >= 0 && (flags & SOCK_NONBLOCK))
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return fd;
}

static inline int socket_with_flags(int family, int type, int protocol)
{
    return with_flags(socket(family, type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK), protocol), type);
}

static inline int socketpair_with_flags(int family, int type, int protocol, int ends[2])
{
    if (socketpair(family, type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK), protocol, ends) < 0)
        return -1;
    with_flags(ends[0], type);
    with_flags(ends[1], type);
    return 0;
}

#define socket(family, type, protocol) socket_with_flags(family, type, protocol)
#define socketpair(family, type, protocol, ends)                               \
    socketpair_with_flags(family, type, protocol, ends)

static inline int accept4(int listener, struct sockaddr *address, socklen_t *size, int flags)
{
    return with_flags(accept(listener, address, size), flags);
}

/* The flag is O_CLOEXEC. */
static inline int pipe2(int ends[2], int flags)
{
    int result = pipe(ends);

    for (int i = 0; result == 0 && i < 2; i++)
        with_flags(ends[i], (flags & O_CLOEXEC) ? SOCK_CLOEXEC : 0);
    return result;
}

#endif
