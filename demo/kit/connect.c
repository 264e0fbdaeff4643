/* SPDX-License-Identifier: MIT */
/*
 * How the clients here find and reach a server.
 *
 * Nothing in this file waits, except getaddrinfo(), and nothing keeps state.
 */
#include "kit/connect.h"
#include "kit/fail.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

server_address find_server(const char *host, int port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    char service[sizeof "65535"];
    snprintf(service, sizeof service, "%d", port & 0xffff);
    int unknown = getaddrinfo(host, service, &hints, &addresses);
    if (unknown != 0)
        fail(EXIT_FAILURE, "cannot find %s: %s", host, gai_strerror(unknown));
    server_address address = {.size = addresses->ai_addrlen};
    memcpy(&address.name, addresses->ai_addr, addresses->ai_addrlen);
    freeaddrinfo(addresses);
    return address;
}

int start_connect(const server_address *address)
{
    const int on = 1;
    const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(address->name.ss_family, type, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const struct sockaddr *name = (const struct sockaddr *)&address->name;
    if (connect(fd, name, address->size) == 0 || errno == EINPROGRESS)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

int connect_result(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -errno;
    return -error;
}
