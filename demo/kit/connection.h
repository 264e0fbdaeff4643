/* SPDX-License-Identifier: MIT */
/*
 * A client of an echo server, whichever loop serves it: whatever arrives from it is
 * queued until its socket takes it back.
 *
 * A client that sends but does not read is not read from either once HIGH_WATER bytes
 * are queued, so a client costs at most HIGH_WATER + READ_SIZE bytes.
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
    bool leaving; /* it still gets what is queued; what it sends is dropped */
    bytearray queue;
    void *server; /* the server it belongs to, for a callback */
} connection;

/*
 * What to wait for.  Both are false once everything it sent has been sent back and it
 * has sent its end.
 */
bool connection_wants_read(const connection *conn);
bool connection_wants_write(const connection *conn);

/* Receive and queue.  Returns how many bytes were queued, or a negative errno. */
ssize_t connection_receive(connection *conn);

/* Send as much of the queue as the socket takes.  Returns how much, or a negative errno. */
ssize_t connection_send(connection *conn);

/* Take the urgent byte that has arrived: it is no part of the stream and not echoed. */
void connection_take_urgent(const connection *conn, bool verbose);

/* Why the connection failed, a negative errno, or 0; asking clears it. */
int connection_error(const connection *conn);

/*
 * Let a client go once it has everything that is queued for it: it is sent our end, and
 * what it sends is read and dropped until its own end arrives.  Returns false once it
 * has all that we sent and we have all that it sent, so that there is nothing left to
 * wait for.
 */
bool connection_leave(connection *conn);

/* Close the socket and drop what is queued. */
void connection_close(connection *conn);

#endif
