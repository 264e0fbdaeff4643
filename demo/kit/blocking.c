/* SPDX-License-Identifier: MIT */
/*
 * Blocking connections, with a time limit that the kernel enforces.
 *
 * Nothing in this file keeps state.
 */
#include "kit/blocking.h"
#include "kit/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Returns the socket or a negative errno. */
static int connect_to(const struct addrinfo *address, int timeout)
{
    const struct timeval limit = {.tv_sec = timeout};
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

int create_connection(const char *host, int port, int timeout)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    int unknown = getaddrinfo(host, service, &hints, &addresses);
    if (unknown != 0)
        fail(EXIT_FAILURE, "cannot connect to %s port %d: %s", host, port,
             gai_strerror(unknown));
    int fd = -ENOENT;
    for (struct addrinfo *a = addresses; a != NULL && fd < 0; a = a->ai_next)
        fd = connect_to(a, timeout);
    freeaddrinfo(addresses);
    if (fd < 0)
        fail(EXIT_FAILURE, "cannot connect to %s port %d: %s", host, port,
             blocking_error(-fd));
    return fd;
}

int send_all(int fd, const void *bytes, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        ssize_t part = send(fd, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);
        if (part < 0 && errno != EINTR)
            return -errno;
        sent += part > 0 ? (size_t)part : 0;
    }
    return 0;
}

void set_blocking(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

const char *blocking_error(int error)
{
    return error == EAGAIN || error == EINPROGRESS ? "timed out" : strerror(error);
}
