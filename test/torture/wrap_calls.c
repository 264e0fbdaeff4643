/* SPDX-License-Identifier: MIT */
/*
 * System calls. A call that fails does nothing, but for close(), which has
 * closed the descriptor whatever it says.
 */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WRAP(result, name, parameters, call, arguments)                        \
    result __real_##name parameters;                                           \
    result __wrap_##name parameters;                                           \
    result __wrap_##name parameters                                            \
    {                                                                          \
        return faults_strike(call) ? -1 : __real_##name arguments;             \
    }

WRAP(int, dup3, (int fd, int number, int flags), DUP3, (fd, number, flags))
WRAP(int, epoll_create1, (int flags), EPOLL_CREATE1, (flags))
WRAP(int, epoll_wait, (int set, struct epoll_event *events, int capacity, int timeout),
     EPOLL_WAIT, (set, events, capacity, timeout))
WRAP(int, epoll_pwait2,
     (int set, struct epoll_event *events, int capacity, const struct timespec *timeout,
      const sigset_t *mask),
     EPOLL_PWAIT2, (set, events, capacity, timeout, mask))
WRAP(int, eventfd, (unsigned int count, int flags), EVENTFD, (count, flags))
WRAP(int, flock, (int fd, int operation), FLOCK, (fd, operation))
WRAP(int, ftruncate64, (int fd, off64_t length), FTRUNCATE, (fd, length))
WRAP(int, poll, (struct pollfd *fds, nfds_t count, int timeout), POLL,
     (fds, count, timeout))
WRAP(int, ppoll,
     (struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask),
     PPOLL, (fds, count, timeout, mask))
WRAP(int, pselect,
     (int limit, fd_set *readers, fd_set *writers, fd_set *excepts,
      const struct timespec *timeout, const sigset_t *mask),
     PSELECT, (limit, readers, writers, excepts, timeout, mask))
WRAP(ssize_t, pwrite64, (int fd, const void *bytes, size_t length, off64_t offset), PWRITE,
     (fd, bytes, length, offset))
WRAP(ssize_t, write, (int fd, const void *bytes, size_t length), WRITE,
     (fd, bytes, length))
WRAP(int, sigaction,
     (int signum, const struct sigaction *action, struct sigaction *old),
     action == NULL ? SIGACTION_GET : SIGACTION_SET, (signum, action, old))

int __real_fstat64(int fd, struct stat64 *status);
int __wrap_fstat64(int fd, struct stat64 *status);

/* Of a descriptor that is closed nothing but EBADF is ever said. */
int __wrap_fstat64(int fd, struct stat64 *status)
{
    int result = __real_fstat64(fd, status);

    return result < 0 || faults_strike_about(FSTAT, fd) ? -1 : 0;
}

int __real_clone(int (*body)(void *), void *stack, int flags, void *data, ...);
int __wrap_clone(int (*body)(void *), void *stack, int flags, void *data, ...);

/* The library gives it nothing more. */
int __wrap_clone(int (*body)(void *), void *stack, int flags, void *data, ...)
{
    return faults_strike(CLONE) ? -1 : __real_clone(body, stack, flags, data);
}

int __real_close(int fd);
int __wrap_close(int fd);

int __wrap_close(int fd)
{
    bool strikes = faults_strike(CLOSE);
    int error = errno;
    int result = __real_close(fd);

    if (!strikes)
        return result;
    errno = error;
    return -1;
}

int __real_epoll_ctl(int set, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int set, int operation, int fd, struct epoll_event *event);

int __wrap_epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
    fault_call call = operation == EPOLL_CTL_ADD   ? EPOLL_CTL_TO_ADD :
                      operation == EPOLL_CTL_MOD ? EPOLL_CTL_TO_CHANGE :
                                                     EPOLL_CTL_TO_REMOVE;

    return faults_strike_about(call, fd) ? -1 : __real_epoll_ctl(set, operation, fd, event);
}

static fault_call fcntl_use(int operation)
{
    switch (operation) {
    case F_GETFL:
        return FCNTL_GETFL;
    case F_SETFL:
        return FCNTL_SETFL;
    case F_DUPFD_CLOEXEC:
        return FCNTL_DUPFD;
    default:
        fail_run("fcntl() with %d, which no row knows", operation);
    }
}

int __real_fcntl64(int fd, int operation, ...);
int __wrap_fcntl64(int fd, int operation, ...);

int __wrap_fcntl64(int fd, int operation, ...)
{
    va_list arguments;
    int argument;

    va_start(arguments, operation);
    argument = operation == F_GETFL || operation == F_GETFD ? 0 : va_arg(arguments, int);
    va_end(arguments);
    /* Asked of 0 to 2 alone, and no is an answer; set of a queue, where no harms nobody. */
    if (operation == F_GETFD || operation == F_SETFD)
        return __real_fcntl64(fd, operation, argument);
    return faults_strike_about(fcntl_use(operation), fd) ?
               -1 : __real_fcntl64(fd, operation, argument);
}

int __real_ioctl(int fd, unsigned long operation, ...);
int __wrap_ioctl(int fd, unsigned long operation, ...);

int __wrap_ioctl(int fd, unsigned long operation, ...)
{
    fault_call call = operation == FIONREAD ? IOCTL_FIONREAD : IOCTL_FIONBIO;
    va_list arguments;
    void *argument;

    va_start(arguments, operation);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    if (operation != FIONREAD && operation != FIONBIO)
        fail_run("ioctl() with %#lx, which no row knows", operation);
    return faults_strike(call) ? -1 : __real_ioctl(fd, operation, argument);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* To tgkill() with no signal any error is an answer: that the thread is gone. */
long __wrap_syscall(long number, ...)
{
    va_list arguments;
    void *bytes;
    size_t length;
    int fd;

    va_start(arguments, number);
    fd = va_arg(arguments, int);
    bytes = va_arg(arguments, void *);
    length = va_arg(arguments, size_t);
    va_end(arguments);
    if (number != SYS_read && number != SYS_write && number != SYS_tgkill)
        fail_run("system call %ld, which no row knows", number);
    if (number == SYS_read)
        faults_interrupt();
    if (number != SYS_tgkill &&
        faults_strike(number == SYS_read ? EVENTFD_READ : EVENTFD_WRITE))
        return -1;
    return __real_syscall(number, fd, bytes, length);
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);

int __wrap_open64(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return faults_strike(OPEN) ? -1 : __real_open64(path, flags, mode);
}

WRAP(int, madvise, (void *start, size_t length, int advice), MADVISE, (start, length, advice))

void *__real_mmap64(void *start, size_t length, int protection, int flags, int fd, off64_t at);
void *__wrap_mmap64(void *start, size_t length, int protection, int flags, int fd, off64_t at);

void *__wrap_mmap64(void *start, size_t length, int protection, int flags, int fd, off64_t at)
{
    return faults_strike(MMAP) ? MAP_FAILED :
                                 __real_mmap64(start, length, protection, flags, fd, at);
}

typedef void handler(void);

int __real_atexit(handler *handle);
int __wrap_atexit(handler *handle);

int __wrap_atexit(handler *handle)
{
    return faults_strike(ATEXIT) ? -1 : __real_atexit(handle);
}

int __real_pthread_atfork(handler *prepare, handler *parent, handler *child);
int __wrap_pthread_atfork(handler *prepare, handler *parent, handler *child);

int __wrap_pthread_atfork(handler *prepare, handler *parent, handler *child)
{
    return faults_strike(PTHREAD_ATFORK) ?
               errno : __real_pthread_atfork(prepare, parent, child);
}
