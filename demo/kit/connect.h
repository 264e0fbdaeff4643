/* SPDX-License-Identifier: MIT */
/* How the clients here find and reach a server. */
#ifndef DEMO_CONNECT_H
#define DEMO_CONNECT_H

#include <sys/socket.h>

typedef struct {
    struct sockaddr_storage name;
    socklen_t size;
} server_address;

/* The server's first address; an unknown host ends the program. */
server_address find_server(const char *host, int port);

/*
 * Start to connect a non-blocking, close-on-exec socket to the server: once it is
 * writable, connect_result() says how it went.  Returns the socket or a negative errno.
 */
int start_connect(const server_address *address);

/* Returns 0 if it is connected, else a negative errno. */
int connect_result(int fd);

#endif
