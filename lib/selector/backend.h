/* SPDX-License-Identifier: MIT */
/*
 * What a backend is: an engine that knows descriptors and readiness, and nothing of
 * keys, callbacks, deadlines or the program's errors.
 *
 * Every rule of the contract is above it, written once for all backends. A backend
 * checks no arguments: it gets a registered descriptor and a mask of SEL_EVENT_ bits.
 * In the descriptor's entry, sel__entry_at(), `mark` is the backend's to use; `events`
 * is what the key wants, and `armed` what change() was last told.
 *
 * sel__check() and sel__gone() call remove() from inside wait(), change() and rearm(),
 * so whoever walks through an array of its own there must walk downwards. poll.c is the
 * shortest backend, and the one to copy.
 */
#ifndef SEL_BACKEND_H
#define SEL_BACKEND_H

#include <selkie/selectors.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* Never called in a wait or a dispatch in which nothing unusual happens. */
#define SEL__RARE __attribute__((cold, noinline))

/* Needed on some paths; inlined, it would slow down the others. */
#define SEL__APART __attribute__((noinline))

enum { SEL__EVERY_EVENT = SEL_EVENT_READ | SEL_EVENT_WRITE | SEL_EVENT_EXCEPT };

/* A wait without a deadline. */
#define SEL__FOREVER INT64_MAX

typedef struct sel__backend {
    const char *name;

    /* Make the engine's state. Returns 0, or a negative errno with nothing left behind. */
    int (*open)(sel_selector *sel, void **ret_state);

    /* Free it. `forked`: the parent shares the kernel's side, so leave that alone. */
    void (*close)(void *state, bool forked);

    /*
     * Begin to watch an open descriptor that is not watched yet. Returns 0, or a
     * negative errno with nothing changed: -EPERM for a file that can't be waited for;
     * where the system call does not refuse it by itself, see polling.h. A
     * SEL__INTERNAL descriptor is always accepted.
     */
    int (*add)(void *state, int fd, int events);

    /*
     * Watch for these events from now on; 0 pauses. Called just before a wait, and only
     * if something really differs. If the descriptor turns out closed or replaced, call
     * sel__gone() and return 0.
     */
    int (*change)(void *state, int fd, int events);

    /* Stop watching, whatever has become of the descriptor. */
    void (*remove)(void *state, int fd);

    /*
     * Wait until `deadline`, on sel__now()'s clock, and sel__report() whatever is
     * ready. 0 or a time that has passed only looks; SEL__FOREVER has no end;
     * sel__left() says how much time is left. It may return early with nothing: the
     * caller waits again.
     *
     * Returns 0, -EINTR, or another negative errno, after which a later call tries
     * again. Allocates nothing. Time for which the process is stopped counts, and
     * RLIMIT_NOFILE may be below what is watched: see polling.h.
     */
    int (*wait)(void *state, int64_t deadline);

    /*
     * In a forked child: replace the kernel's side with one that is not shared, and
     * watch the same descriptors with it. The child may have closed the backend's
     * descriptors and reused their numbers, which sel__close_own() knows. After a
     * failure it is called again.
     */
    int (*rearm)(void *state);

    /*
     * The descriptor that is readable while a wait would report something. NULL:
     * sel_fileno() and sel_attach_loop() return -ENOTSUP.
     */
    int (*fileno)(void *state);

    /*
     * For an engine that knows more than the file's device and inode say: does the
     * number still mean what was added? NULL: it knows no more.
     */
    bool (*knows)(void *state, int fd);
} sel__backend;

extern const sel__backend sel__uv_backend;
extern const sel__backend sel__epoll_backend;
extern const sel__backend sel__poll_backend;
extern const sel__backend sel__select_backend;
extern const sel__backend sel__kqueue_backend;

/*
 * What epoll_ctl() and kevent() return for a registered descriptor that has been closed or
 * is another file by now: one that is not in the set, or one that is always ready.
 */
static inline bool sel__means_gone(int error)
{
    return error == -EBADF || error == -ENOENT || error == -EPERM;
}

/*
 * poll(2)'s bits and ours; epoll(7) has the same numbers. Hang-up and error set every
 * bit, as in CPython, where READ is `event & ~POLLOUT` and WRITE is `event & ~POLLIN`;
 * an out-of-band byte alone is EXCEPT.
 */
static inline int sel__from_poll(int revents)
{
    enum { R = SEL_EVENT_READ, W = SEL_EVENT_WRITE, X = SEL_EVENT_EXCEPT };
    static const unsigned char ready[] = {
        [POLLIN] = R, [POLLPRI] = X, [POLLIN | POLLPRI] = R | X,
        [POLLOUT] = W, [POLLOUT | POLLIN] = R | W, [POLLOUT | POLLPRI] = W | X,
        [POLLOUT | POLLIN | POLLPRI] = R | W | X,
    };

    if (revents & (POLLERR | POLLHUP))
        return SEL__EVERY_EVENT;
    return ready[revents & (POLLIN | POLLOUT | POLLPRI)];
}

static inline short sel__to_poll(int events)
{
    return (short)(((events & SEL_EVENT_READ) ? POLLIN : 0) |
                   ((events & SEL_EVENT_WRITE) ? POLLOUT : 0) |
                   ((events & SEL_EVENT_EXCEPT) ? POLLPRI : 0));
}

/* Report the `count` entries of fds[0..length) that poll(2) found ready. */
void sel__report_polled(sel_selector *sel, const struct pollfd *fds, unsigned length, int count);

#endif
