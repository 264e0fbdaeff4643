/* SPDX-License-Identifier: MIT */
/*
 * Out-of-band bytes, which a kqueue does not tell of: poll(2) waits for them, and for
 * the queue. So it costs nothing while no key is watched for EXCEPT.
 */
#ifndef SEL_URGENT_H
#define SEL_URGENT_H

#include "selector/selector.h"

#include <poll.h>

typedef struct {
    struct pollfd *fds; /* the queue, then those that are watched */
    int length;         /* of the latter */
    int capacity;
} sel__urgent;

/* Watch this descriptor, or no longer. 0; or, if it is to be watched, -ENOMEM. */
int sel__urgent_watch(sel__urgent *urgent, int fd, bool wanted);

/*
 * Sleep until the deadline, an out-of-band byte, a hang-up of what is watched for one, or
 * until the queue is readable, and report the former. The queue itself is to be waited for until
 * *deadline then. 0 or a negative errno.
 */
int sel__urgent_wait(sel__urgent *urgent, sel_selector *sel, int queue, int64_t *deadline);

#endif
