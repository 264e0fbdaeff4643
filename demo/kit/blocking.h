/* SPDX-License-Identifier: MIT */
/*
 * What Python's blocking sockets do by themselves and C's don't:
 * socket.create_connection() and sock.sendall().
 */
#ifndef DEMO_BLOCKING_H
#define DEMO_BLOCKING_H

#include <stddef.h>

enum { NO_TIMEOUT = 0 };

/*
 * A socket connected to the first of the server's addresses that answers.  A send or
 * receive on it gives up after `timeout` seconds with EAGAIN, and connecting gave up
 * with EINPROGRESS.  A failure to connect prints one plain line and ends the program.
 */
int create_connection(const char *host, int port, int timeout);

/* Send everything, in as many parts as it takes.  Returns 0 or a negative errno. */
int send_all(int fd, const void *bytes, size_t size);

/* sock.setblocking(True): recv() and send() wait again. */
void set_blocking(int fd);

/* The message for a blocking call's errno: a call that gave up has timed out. */
const char *blocking_error(int error);

#endif
