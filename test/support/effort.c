/* SPDX-License-Identifier: MIT */
/*
 * Whether a thread sleeps or spins, judged by what it did: how often it asked the
 * kernel for readiness, and whether it slept meanwhile. CPU time would judge the
 * machine as well: a virtual machine's includes what others took from it, one under an
 * instrument includes the instrument, and a process's includes the kernel's own threads
 * in it, such as io_uring's, which libuv 1.45 to 1.48 start.
 *
 * The functions below replace the C library's for everything that is loaded. They are
 * weak, so that a suite may have its own.
 */
#undef _FORTIFY_SOURCE /* whose inline functions have these names */

#include "support/support.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <time.h>

#define WEAK __attribute__((weak))

/* For one wait: the looks of four backends, what each finds to mend, and the sleep. */
enum { ROUNDS_OF_A_WAIT = 8, ATTEMPTS = 10 };

static _Thread_local long rounds;

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

effort measure_effort(void)
{
    struct rusage usage;

    ck_assert_int_eq(getrusage(RUSAGE_THREAD, &usage), 0);
    return (effort){.rounds = rounds, .sleeps = usage.ru_nvcsw};
}

bool has_spun(effort before, int waits)
{
    return measure_effort().rounds - before.rounds > (long)waits * ROUNDS_OF_A_WAIT;
}

void assert_no_spin(effort before, int waits)
{
    ck_assert_msg(!has_spun(before, waits), "spun: %ld rounds for %d waits",
                  measure_effort().rounds - before.rounds, waits);
}

/*
 * A wait that spins never sleeps; but neither does one whose time is up before it
 * begins, which may happen on a busy machine.
 */
bool has_slept(effort before)
{
    return measure_effort().sleeps > before.sleeps;
}

void assert_quiet(sel_selector *sel, double seconds)
{
    int64_t wanted = (int64_t)(seconds * 1e9);

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        effort before = measure_effort();
        int64_t start = now_ns();

        ck_assert_int_eq(sel_select(sel, seconds, NULL), 0);
        ck_assert_int_ge(now_ns() - start, wanted);
        assert_no_spin(before, 1);
        if (has_slept(before))
            return;
    }
    ck_abort_msg("%d waits in a row did not sleep", ATTEMPTS);
}
