/* SPDX-License-Identifier: MIT */
/*
 * Sockets that stay on this machine, for programs that try things.
 *
 * What must not fail ends the program with one plain line.
 */
#ifndef DEMO_LOOPBACK_H
#define DEMO_LOOPBACK_H

#include <netinet/in.h>

/* socket.socketpair() of AF_UNIX: what one end sends, the other receives. */
void open_pair(int type, int ends[2]);
void close_pair(const int ends[2]);

struct sockaddr_in loopback(int port);

/* A socket with a port of its own that the kernel picks. */
int bound_socket(int type);

/* sock.getsockname()'s port */
int port_of(int fd);

/* sock.connect_ex(): 0 or an errno. */
int connect_ex(int fd, int port);

#endif
