/* SPDX-License-Identifier: MIT */
/*
 * What Linux has and macOS and the BSDs have not, and their own ways to the same.
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
#include <sys/types.h>
#include <unistd.h>

#ifdef __linux__

#include <sys/syscall.h>

static inline const char *sel__getenv(const char *name)
{
    return secure_getenv(name);
}

static inline pid_t sel__thread_id(void)
{
    return gettid();
}

/* May it count against a limit still, though it was joined? */
static inline bool sel__thread_is_there(pid_t id)
{
    return syscall(SYS_tgkill, getpid(), id, 0) == 0;
}

/* From now on `number` means the same file as `fd`. -1 with errno. */
static inline int sel__dup_over(int fd, int number)
{
    return dup3(fd, number, O_CLOEXEC);
}

/* Of these signals, which are blocked, take one that is pending. */
static inline void sel__take_pending(const sigset_t *signals)
{
    sigtimedwait(signals, NULL, &(struct timespec){0});
}

/* For less than a millisecond. */
static inline int sel__poll_briefly(struct pollfd *fds, unsigned length, const struct timespec *rest)
{
    return ppoll(fds, length, rest, NULL);
}

#else

#ifndef O_PATH
#define O_PATH 0
#endif
#define MADV_WIPEONFORK (-1) /* refused: a handler does it */
#ifdef __APPLE__
#define st_mtim st_mtimespec
#endif

static inline const char *sel__getenv(const char *name)
{
    return issetugid() ? NULL : getenv(name);
}

static inline pid_t sel__thread_id(void)
{
    return (pid_t)((uintptr_t)pthread_self() >> 4);
}

static inline bool sel__thread_is_there(pid_t id)
{
    (void)id;
    return false;
}

static inline int sel__dup_over(int fd, int number)
{
    return dup2(fd, number) < 0 ? -1 : fcntl(number, F_SETFD, FD_CLOEXEC);
}

static inline void sel__take_pending(const sigset_t *signals)
{
    sigset_t pending;
    int signum;

    sigpending(&pending);
    if ((sigismember(signals, SIGPIPE) && sigismember(&pending, SIGPIPE)) ||
        (sigismember(signals, SIGXFSZ) && sigismember(&pending, SIGXFSZ)))
        sigwait(signals, &signum);
}

static inline int sel__poll_briefly(struct pollfd *fds, unsigned length, const struct timespec *rest)
{
    (void)rest;
    return poll(fds, length, 1);
}

#endif

#endif
