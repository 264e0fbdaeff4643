/* SPDX-License-Identifier: MIT */
/* How the clients here find and reach a server. */
#ifndef DEMO_CONNECT_H
#define DEMO_CONNECT_H

#include <sys/socket.h>

typedef struct {
    struct sockaddr_storage name;
    socklen_t size;
} server_address;

/* The server's first address; a host that is not known ends the program. */
server_address find_server(const char *host, int port);

/*
 * A non-blocking, close-on-exec socket on its way to the server: once it is
 * writable, connect_result() says how it went.  Returns it or a negative errno.
 */
int start_connect(const server_address *address);

/* 0: connected; else a negative errno. */
int connect_result(int fd);

#endif
