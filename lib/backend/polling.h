/* SPDX-License-Identifier: MIT */
/*
 * What the `poll` and `select` backends share: a poll(2) that waits to the nanosecond,
 * keeps its deadline across a SIGSTOP, and takes more descriptors than RLIMIT_NOFILE
 * allows; and the refusal of files that can't be waited for, which these system calls
 * never give.
 */
#ifndef SEL_POLLING_H
#define SEL_POLLING_H

#include "selector/backend.h"
#include "selector/table.h"

#include <poll.h>
#include <stdint.h>

typedef struct {
    unsigned long *words; /* memory that sel__poll() may need, */
    int limit;            /* for descriptors below this */
    int probe;            /* an empty set, kept: there may be no descriptor later */
} sel__polling;

/* 0 or a negative errno. */
int sel__open_polling(sel__polling *polling);
void sel__close_polling(sel__polling *polling);

/* In a forked child, which shares the probe with its parent. */
int sel__rearm_polling(sel__polling *polling);

/*
 * Make room for this descriptor. Returns 0, -ENOMEM or, if it can't be waited for,
 * -EPERM or another negative errno.
 */
int sel__admit(sel__polling *polling, const sel__entry *entry, int fd);

/*
 * Wait for up to `timeout` nanoseconds (0 only looks; or SEL__FOREVER), perhaps less:
 * the caller waits again. Returns how many have `revents`, or a negative errno.
 */
int sel__poll(struct pollfd *fds, unsigned length, int64_t timeout, sel__polling *polling);

#endif
