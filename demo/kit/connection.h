/* SPDX-License-Identifier: MIT */
/*
 * A client of an echo server, whichever loop it is served by: what came from it is
 * queued until its socket takes it back.
 *
 * A client that sends but does not read is not read from either once HIGH_WATER bytes
 * are queued, so that a client costs HIGH_WATER + READ_SIZE bytes at most.
 */
#ifndef DEMO_CONNECTION_H
#define DEMO_CONNECTION_H

#include "kit/bytearray.h"

#include <stdbool.h>
#include <sys/types.h>

enum { READ_SIZE = 16 * 1024, HIGH_WATER = 64 * 1024 };

typedef struct {
    int fd;
    bool ended;   /* it has sent its last byte */
    bool leaving; /* it gets what is queued; what it sends is dropped */
    bytearray queue;
    void *server; /* whose it is, for a callback */
} connection;

/* What to wait for; neither when all it sent has been sent back and its end has come. */
bool connection_wants_read(const connection *conn);
bool connection_wants_write(const connection *conn);

/* Receive, and queue it.  Returns how many bytes were queued, or a negative errno. */
ssize_t connection_receive(connection *conn);

/* Send of the queue what the socket takes.  Returns how many, or a negative errno. */
ssize_t connection_send(connection *conn);

/* Take the urgent byte that has come: it is no part of the stream and not echoed. */
void connection_take_urgent(const connection *conn, bool verbose);

/* What the connection failed of, a negative errno or 0; asking clears it. */
int connection_error(const connection *conn);

/*
 * Let a client go once it has what is queued for it: it is sent our end, and what it
 * sends is read and dropped until it sends its own.  Returns false when it has all it
 * was sent and we have all it sent, so that there is nothing left to wait for.
 */
bool connection_leave(connection *conn);

/* Close the socket and drop what is queued. */
void connection_close(connection *conn);

#endif
