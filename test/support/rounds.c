/* SPDX-License-Identifier: MIT */
/*
 * The functions below replace the C library's for everything that is loaded, and count
 * their calls. They are weak, so that a suite may have its own.
 */
#undef _FORTIFY_SOURCE /* whose inline functions have these names */

#include "support/rounds.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>

#define WEAK __attribute__((weak))

_Thread_local long rounds;

/* Where time_t is wider than long, the C library has this function under another name. */
static void *find(_Atomic(void *) *known, const char *name, const char *wide_name)
{
    void *call = atomic_load_explicit(known, memory_order_relaxed);

    if (call == NULL) {
        call = dlsym(RTLD_NEXT, sizeof(time_t) > sizeof(long) ? wide_name : name);
        atomic_store_explicit(known, call, memory_order_relaxed);
    }
    return call;
}

/* Count a round; `next` is the C library's own. */
#define BEGIN_ROUND(call, wide_name)                                            \
    static _Atomic(void *) known;                                               \
    __typeof__(call) *next;                                                     \
    *(void **)&next = find(&known, #call, wide_name);                           \
    rounds++

WEAK int epoll_wait(int set, struct epoll_event *events, int length, int timeout)
{
    BEGIN_ROUND(epoll_wait, "epoll_wait");
    return next(set, events, length, timeout);
}

WEAK int epoll_pwait(int set, struct epoll_event *events, int length, int timeout,
                     const sigset_t *mask)
{
    BEGIN_ROUND(epoll_pwait, "epoll_pwait");
    return next(set, events, length, timeout, mask);
}

/* Not every C library has it; the library then finds this one. */
int epoll_pwait2(int set, struct epoll_event *events, int length,
                 const struct timespec *timeout, const sigset_t *mask);

WEAK int epoll_pwait2(int set, struct epoll_event *events, int length,
                      const struct timespec *timeout, const sigset_t *mask)
{
    BEGIN_ROUND(epoll_pwait2, "__epoll_pwait2_time64");
    if (next == NULL) {
        errno = ENOSYS;
        return -1;
    }
    return next(set, events, length, timeout, mask);
}

WEAK int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    BEGIN_ROUND(poll, "poll");
    return next(fds, count, timeout);
}

WEAK int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
               const sigset_t *mask)
{
    BEGIN_ROUND(ppoll, "__ppoll64");
    return next(fds, count, timeout, mask);
}

WEAK int pselect(int limit, fd_set *read, fd_set *write, fd_set *except,
                 const struct timespec *timeout, const sigset_t *mask)
{
    BEGIN_ROUND(pselect, "__pselect64");
    return next(limit, read, write, except, timeout, mask);
}
