/* SPDX-License-Identifier: MIT */
/*
 * recv() and send() of a socket that does not block: there may be nothing for now.
 * Both return how many bytes it was, 0 for none, or a negative errno.
 */
#ifndef DEMO_NONBLOCKING_H
#define DEMO_NONBLOCKING_H

#include "kit/bytearray.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Was `errno` BlockingIOError or InterruptedError: no failure, try again when told? */
bool would_block(void);

/* Take what has come; *ret_ended turns true when nothing will come any more. */
ssize_t receive_now(int fd, void *bytes, size_t size, bool *ret_ended);

/* Send of the queue what the socket takes. */
ssize_t send_now(int fd, bytearray *queue);

#endif
