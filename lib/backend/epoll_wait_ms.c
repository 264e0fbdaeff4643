/* SPDX-License-Identifier: MIT */
/* For C libraries without epoll_pwait2(). */
#include "backend/epoll_wait.h"

#include "base/clock.h"

int sel__epoll_wait_timed(int set, struct epoll_event *events, int capacity, int64_t timeout)
{
    return sel__epoll_wait_ms(set, events, capacity, sel__to_ms(timeout));
}
