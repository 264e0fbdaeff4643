/* SPDX-License-Identifier: MIT */
#include "backend/epoll_wait.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>

/* NULL in C libraries that lack it; the kernel has it since Linux 5.11. */
extern int epoll_pwait2(int, struct epoll_event *, int, const struct timespec *,
                        const sigset_t *) __attribute__((weak));

/*
 * Old kernels and valgrind fail with ENOSYS, some seccomp filters with EPERM, others
 * with any error they were set up to give. So after any error epoll_wait() is tried: it
 * fails in the same way if something is really wrong, and if it works, only
 * epoll_pwait2() was refused.
 */
static atomic_bool no_pwait2;

int sel__epoll_wait_timed(int set, struct epoll_event *events, int capacity, int64_t deadline)
{
    int64_t timeout = sel__left(deadline);
    struct timespec left = sel__to_timespec(timeout);
    int count;

    /* GCOVR_EXCL_START: the C library that coverage runs with has it */
    if (epoll_pwait2 == NULL)
        return sel__epoll_wait_ms(set, events, capacity, sel__to_ms(timeout));
    /* GCOVR_EXCL_STOP */
    if (atomic_load_explicit(&no_pwait2, memory_order_relaxed))
        return sel__epoll_wait_ms(set, events, capacity, sel__to_ms(timeout));
    count = epoll_pwait2(set, events, capacity, &left, NULL);
    if (count >= 0 || errno == EINTR)
        return count >= 0 ? count : -EINTR;
    count = sel__epoll_wait_ms(set, events, capacity, sel__to_ms(timeout));
    if (count >= 0)
        atomic_store_explicit(&no_pwait2, true, memory_order_relaxed);
    return count;
}
