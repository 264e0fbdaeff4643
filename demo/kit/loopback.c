/* SPDX-License-Identifier: MIT */
/* Descriptors are close-on-exec, as Python's are. */
#include "kit/loopback.h"
#include "kit/tell.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

void open_pair(int type, int ends[2])
{
    checked(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), "make a pair of sockets");
}

void close_pair(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

int bound_socket(int type)
{
    struct sockaddr_in address = loopback(0);
    int fd = checked(socket(AF_INET, type | SOCK_CLOEXEC, 0), "make a socket");
    checked(bind(fd, (struct sockaddr *)&address, sizeof address), "bind");
    return fd;
}

int port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    checked(getsockname(fd, (struct sockaddr *)&address, &size), "find a name");
    return ntohs(address.sin_port);
}

int connect_ex(int fd, int port)
{
    struct sockaddr_in address = loopback(port);
    return connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? errno : 0;
}
