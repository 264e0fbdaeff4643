/* SPDX-License-Identifier: MIT */
/*
 * What Linux has and macOS and the BSDs have not, or not all: here they get it by Linux's
 * names, as far as it is needed.
 */
#ifndef SEL_OS_H
#define SEL_OS_H

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __linux__

#include <sys/syscall.h>

/* A thread that was joined counts against the limits until the kernel has let go of it. */
#define SEL__THREAD_IS_THERE(id) (syscall(SYS_tgkill, getpid(), id, 0) == 0)

#else

#define SEL__THREAD_IS_THERE(id) ((void)(id), false)
#define secure_getenv(name) (issetugid() ? NULL : getenv(name))
#define gettid() ((pid_t)((uintptr_t)pthread_self() >> 4 & INT32_MAX))
#define dup3(fd, number, flags) (dup2(fd, number) < 0 ? -1 : fcntl(number, F_SETFD, FD_CLOEXEC))

/* For less than a millisecond. */
#define ppoll(fds, length, timeout, mask) ((void)(timeout), poll(fds, length, 1))

#ifndef O_PATH
#define O_PATH 0
#endif

/* It is refused, and a handler does it. */
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK (-1)
#endif

#ifdef __APPLE__
#define st_mtim st_mtimespec
#endif

/* Without a wait, and the signals are those that a write brings. */
#define sigtimedwait(signals, information, timeout) sel__take_pending(signals)

static inline void sel__take_pending(const sigset_t *signals)
{
    sigset_t pending;
    int signum;

    sigpending(&pending);
    if ((sigismember(signals, SIGPIPE) && sigismember(&pending, SIGPIPE)) ||
        (sigismember(signals, SIGXFSZ) && sigismember(&pending, SIGXFSZ)))
        sigwait(signals, &signum);
}

#endif

#endif
