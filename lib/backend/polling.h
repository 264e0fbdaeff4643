/* SPDX-License-Identifier: MIT */
/*
 * What the backends of poll(2) and select(2) share: poll(2), to the nanosecond, to its
 * deadline also across a SIGSTOP, and for more descriptors than RLIMIT_NOFILE lets it
 * take; and the refusal of what can't be waited for, which those calls never give.
 */
#ifndef SEL_POLLING_H
#define SEL_POLLING_H

#include "selector/backend.h"
#include "selector/table.h"

#include <poll.h>
#include <stdint.h>

typedef struct {
    unsigned long *words; /* the memory that sel__poll() may need, */
    int limit;            /* for descriptors below this */
    int probe;            /* an empty set; kept, since there may be no other later */
} sel__polling;

/* 0 or a negative errno. */
int sel__open_polling(sel__polling *polling);
void sel__close_polling(sel__polling *polling);

/* In a forked child, which shares the probe. */
int sel__rearm_polling(sel__polling *polling);

/*
 * Make room for this descriptor. 0, -ENOMEM or, if it can't be waited for, -EPERM or
 * another negative errno.
 */
int sel__admit(sel__polling *polling, const sel__entry *entry, int fd);

/*
 * Wait up to `timeout` nanoseconds (0 looks, SEL__FOREVER), or less: the caller goes
 * on.  Returns how many have `revents`, or a negative errno.
 */
int sel__poll(struct pollfd *fds, unsigned length, int64_t timeout, sel__polling *polling);

#endif
