/* SPDX-License-Identifier: MIT */
/* One receive through io_uring, by bare system calls, without a library. */
#ifndef DEMO_URING_H
#define DEMO_URING_H

#include <stdbool.h>
#include <stddef.h>

typedef struct uring uring;

/* NULL if the kernel has no io_uring or does not let us use it. */
uring *uring_open(void);
void uring_close(uring *ring);

/*
 * Ask the kernel to receive into `bytes`, and return at once.  Returns 0 or a negative
 * errno.
 */
int uring_recv(uring *ring, int fd, void *bytes, size_t size);

/*
 * Is it done?  If so, *ret_result is what recv() would have returned, or a negative
 * errno.  Makes no system call: the kernel has written the answer to memory that we
 * share.
 */
bool uring_done(uring *ring, int *ret_result);

#endif
