/* SPDX-License-Identifier: MIT */
/*
 * recv() and send() on a non-blocking socket, where there may be nothing to do for now.
 * Both return how many bytes they moved, which may be 0, or a negative errno.
 */
#ifndef DEMO_NONBLOCKING_H
#define DEMO_NONBLOCKING_H

#include "kit/bytearray.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Does `errno` mean BlockingIOError or InterruptedError?  That is no failure; try again
 * when the socket is ready.
 */
bool would_block(void);

/* Take what has arrived; *ret_ended becomes true when nothing more will. */
ssize_t receive_now(int fd, void *bytes, size_t size, bool *ret_ended);

/* Send as much of the queue as the socket takes. */
ssize_t send_now(int fd, bytearray *queue);

#endif
