/* SPDX-License-Identifier: MIT */
/* One receive through io_uring, by its system calls: no library stands between. */
#ifndef DEMO_URING_H
#define DEMO_URING_H

#include <stdbool.h>
#include <stddef.h>

typedef struct uring uring;

/* NULL where the kernel has no io_uring or won't let us. */
uring *uring_open(void);
void uring_close(uring *ring);

/* Ask the kernel to receive into `bytes` and return at once.  0 or a negative errno. */
int uring_recv(uring *ring, int fd, void *bytes, size_t size);

/* Is it done?  Then *ret_result is what recv() would have returned, or a negative
 * errno.  No system call: the kernel has written the answer into memory we share. */
bool uring_done(uring *ring, int *ret_result);

#endif
