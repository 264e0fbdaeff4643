/* SPDX-License-Identifier: MIT */
/*
 * Every call that leaves the library: the errors its man page knows, which it is
 * made to fail with, or why it never fails here. check_calls.py compares this
 * with what the library's objects call.
 */
#include "faults.h"

#include <errno.h>

const fault_row fault_rows[CALLS] = {
    [NO_CALL] = {.symbol = "", .use = ""},
    [MEMORY] = {.symbol = "malloc calloc realloc", .use = "", .errnos = {ENOMEM}},
    [ATEXIT] = {.symbol = "atexit", .use = "", .errnos = {ENOMEM}},
    [CLONE] = {
        .symbol = "clone", .use = "",
        .errnos = {EAGAIN, EINVAL, ENOMEM, ENOSPC, EPERM},
    },
    [CLOSE] = {
        .symbol = "close", .use = "",
        .errnos = {EBADF, EDQUOT, EINTR, EIO, ENOSPC},
    },
    [DUP3] = {
        .symbol = "dup3", .use = "",
        .errnos = {EBADF, EBUSY, EINTR, EINVAL, EMFILE},
    },
    [EPOLL_CREATE1] = {
        .symbol = "epoll_create1", .use = "",
        .errnos = {EINVAL, EMFILE, ENFILE, ENOMEM},
    },
    [EPOLL_CTL_TO_ADD] = {
        .symbol = "epoll_ctl", .use = "EPOLL_CTL_ADD",
        .errnos = {EBADF, EEXIST, EINVAL, ELOOP, ENOMEM, ENOSPC, EPERM},
        .lies = {EBADF, EINVAL, ELOOP, EPERM},
    },
    [EPOLL_CTL_TO_CHANGE] = {
        .symbol = "epoll_ctl", .use = "EPOLL_CTL_MOD",
        .errnos = {EBADF, EINVAL, ENOENT, ENOMEM, EPERM},
        .lies = {EBADF, ENOENT, EPERM},
    },
    [EPOLL_CTL_TO_REMOVE] = {
        .symbol = "epoll_ctl", .use = "EPOLL_CTL_DEL",
        .errnos = {EBADF, EINVAL, ENOENT, ENOMEM, EPERM},
        .lies = {EBADF, EINVAL, ENOENT, ENOMEM, EPERM},
    },
    [EPOLL_WAIT] = {
        .symbol = "epoll_wait", .use = "",
        .errnos = {EBADF, EFAULT, EINTR, EINVAL},
    },
    [EPOLL_PWAIT2] = {
        .symbol = "epoll_pwait2", .use = "",
        .errnos = {EACCES, EBADF, EFAULT, EINTR, EINVAL, ENOSYS, EPERM},
    },
    [EVENTFD] = {
        .symbol = "eventfd", .use = "",
        .errnos = {EINVAL, EMFILE, ENFILE, ENODEV, ENOMEM},
    },
    [EVENTFD_READ] = {
        .symbol = "syscall", .use = "SYS_read",
        .errnos = {EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO},
    },
    [EVENTFD_WRITE] = {
        .symbol = "syscall", .use = "SYS_write",
        .errnos = {EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO},
    },
    [FCNTL_DUPFD] = {
        .symbol = "fcntl", .use = "F_DUPFD_CLOEXEC",
        .errnos = {EBADF, EINVAL, EMFILE},
    },
    [FCNTL_GETFL] = {.symbol = "fcntl", .use = "F_GETFL", .errnos = {EBADF}},
    [FCNTL_SETFL] = {
        .symbol = "fcntl", .use = "F_SETFL",
        .errnos = {EBADF, EPERM},
        .behind = IOCTL_FIONBIO,
    },
    [FLOCK] = {
        .symbol = "flock", .use = "",
        .errnos = {EBADF, EINTR, EINVAL, ENOLCK, EWOULDBLOCK},
    },
    [FSTAT] = {
        .symbol = "fstat", .use = "",
        .errnos = {EBADF, EFAULT, ENOMEM, EOVERFLOW},
        .lies = {EBADF},
    },
    [FTRUNCATE] = {
        .symbol = "ftruncate", .use = "",
        .errnos = {EBADF, EFBIG, EINTR, EINVAL, EIO, EPERM, EROFS, ETXTBSY},
    },
    [IOCTL_FIONBIO] = {
        .symbol = "ioctl", .use = "FIONBIO",
        .errnos = {EBADF, EFAULT, EINVAL, ENOTTY},
    },
    [IOCTL_FIONREAD] = {
        .symbol = "ioctl", .use = "FIONREAD",
        .errnos = {EBADF, EFAULT, EINVAL, ENOTTY},
    },
#ifdef TORTURES_KQUEUE
    [KEVENT_TO_ADD] = {
        .symbol = "kevent", .use = "EV_ADD",
        .errnos = {EBADF, ENOMEM},
        .lies = {EBADF},
    },
    [KEVENT_TO_CHANGE] = {
        .symbol = "kevent", .use = "EV_ENABLE or EV_DISABLE",
        .errnos = {EBADF, ENOENT, ENOMEM},
        .lies = {EBADF, ENOENT},
    },
    [KEVENT_TO_REMOVE] = {
        .symbol = "kevent", .use = "EV_DELETE",
        .errnos = {EBADF, ENOENT},
        .lies = {EBADF, ENOENT},
    },
    [KEVENT_TO_WAIT] = {
        .symbol = "kevent", .use = "to wait",
        .errnos = {EBADF, EFAULT, EINTR, EINVAL, ENOMEM},
    },
    [KQUEUE] = {.symbol = "kqueue", .use = "", .errnos = {EMFILE, ENFILE, ENOMEM}},
#endif
    [MADVISE] = {
        .symbol = "madvise", .use = "",
        .errnos = {EACCES, EAGAIN, EBADF, EINVAL, EIO, ENOMEM, EPERM},
    },
    [MMAP] = {.symbol = "mmap", .use = "", .errnos = {ENOMEM}},
    [OPEN] = {
        .symbol = "open", .use = "",
        .errnos = {EACCES, EBUSY, EDQUOT, EEXIST, EFAULT, EFBIG, EINTR, EINVAL, EISDIR,
                   ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENODEV, ENOENT, ENOMEM, ENOSPC,
                   ENOTDIR, ENXIO, EOPNOTSUPP, EPERM, EROFS, ETXTBSY},
    },
    [POLL] = {.symbol = "poll", .use = "", .errnos = {EFAULT, EINTR, EINVAL, ENOMEM}},
    [PPOLL] = {.symbol = "ppoll", .use = "", .errnos = {EFAULT, EINTR, EINVAL, ENOMEM}},
    [PSELECT] = {
        .symbol = "pselect", .use = "",
        .errnos = {EBADF, EINTR, EINVAL, ENOMEM},
    },
    [PTHREAD_ATFORK] = {
        .symbol = "pthread_atfork", .use = "",
        .errnos = {ENOMEM},
    },
    [PWRITE] = {
        .symbol = "pwrite", .use = "",
        .errnos = {EAGAIN, EBADF, EDESTADDRREQ, EDQUOT, EFAULT, EFBIG, EINTR, EINVAL, EIO,
                   ENOSPC, ENXIO, EOVERFLOW, EPERM, EPIPE, ESPIPE},
    },
    [SIGACTION_GET] = {
        .symbol = "sigaction", .use = "to ask",
        .errnos = {EFAULT, EINVAL},
    },
    [SIGACTION_SET] = {
        .symbol = "sigaction", .use = "to set",
        .errnos = {EFAULT, EINVAL},
    },
    [UV_LOOP_FORK] = {
        .symbol = "uv_loop_fork", .use = "",
        .errnos = {EMFILE, ENFILE, ENOMEM},
    },
    [UV_LOOP_INIT] = {
        .symbol = "uv_loop_init", .use = "",
        .errnos = {EMFILE, ENFILE, ENOMEM},
    },
    [UV_POLL_INIT] = {
        .symbol = "uv_poll_init", .use = "",
        .errnos = {EBADF, EEXIST, EINVAL, ELOOP, ENOMEM, ENOSPC, ENOTTY, EPERM},
    },
    [UV_SIGNAL_INIT] = {
        .symbol = "uv_signal_init", .use = "",
        .errnos = {EMFILE, ENFILE},
    },
    [UV_SIGNAL_START] = {.symbol = "uv_signal_start", .use = "", .errnos = {EINVAL}},
    [UV_THREAD_CREATE] = {
        .symbol = "uv_thread_create_ex", .use = "",
        .errnos = {EAGAIN, ENOMEM},
    },
    [WRITE] = {
        .symbol = "write", .use = "",
        .errnos = {EAGAIN, EBADF, EDESTADDRREQ, EDQUOT, EFAULT, EFBIG, EINTR, EINVAL, EIO,
                   ENOSPC, EPERM, EPIPE},
    },
};

const fault_exception fault_exceptions[] = {
    {"free", "it fails in no way; what it frees is counted"},
    {"clock_gettime",
     "CLOCK_MONOTONIC exists wherever eventfd does, and its pointer is to the stack"},
    {"memcmp memcpy memmove memset strcat strchr strcmp strlen strncmp strncpy strrchr strtod "
     "snprintf vsnprintf strerror floor",
     "they reckon; no system is asked"},
    {"getenv atoi strtol uv_version", "they read what is there"},
    {"getpid gettid sched_yield sysconf secure_getenv __errno_location dladdr",
     "they can't fail, or say no for an answer that the other tests ask for"},
    {"pthread_mutex_init pthread_mutex_destroy pthread_mutex_lock pthread_mutex_unlock "
     "pthread_once pthread_setcancelstate",
     "ordinary mutexes, locked once each: no error that POSIX knows applies"},
    {"sigaddset sigemptyset sigfillset sigismember sigpending sigtimedwait pthread_sigmask",
     "wrong arguments are all they know, and to sigtimedwait() that nothing is pending, "
     "which is as good"},
    {"waitpid", "that the child was waited for by somebody else is all it knows"},
    {"uv_backend_fd uv_backend_timeout uv_handle_get_type uv_is_active uv_is_closing "
     "uv_loop_alive uv_now uv_ref uv_unref uv_update_time uv_walk uv_stop uv_close",
     "they return no error"},
    {"uv_thread_join", "it joins a thread that was made, once"},
    {"uv_run uv_loop_close", "their results are counts and -EBUSY, which end loops"},
    {"uv_timer_init uv_prepare_init uv_prepare_stop uv_timer_stop uv_poll_stop "
     "uv_signal_stop",
     "they return 0, always"},
    {"uv_timer_start uv_prepare_start uv_queue_work",
     "-EINVAL for a NULL callback or a closing handle is all they know; out of memory, "
     "libuv aborts"},
    {"uv_cancel", "-EBUSY, the work has begun, is what the executor's tests are about"},
    {"uv_poll_start",
     "-EEXIST where another handle of the loop has the number is all it knows, and there "
     "is one handle for a number"},
    {NULL, NULL},
};
