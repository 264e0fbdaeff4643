/* SPDX-License-Identifier: MIT */
/*
 * selkie/selectors.h - Python's `selectors` module.
 *
 * A selector holds keys: a descriptor, the events it is watched for, and the callback and data
 * that go with it.  sel_select() waits and returns (key, mask) pairs; sel_dispatch() calls
 * their callbacks.
 *
 *     sel_selector *sel;
 *     const sel_ready *ready;
 *
 *     sel_open(SEL_BACKEND_DEFAULT, &sel);
 *     sel_register(sel, listener, SEL_EVENT_READ, accept_cb, NULL);
 *     for (;;) {
 *         sel_select(sel, SEL_FOREVER, &ready);
 *         sel_dispatch(sel);
 *     }
 *
 * What holds for every function below:
 *
 * Errors.  A call that can fail returns 0 or a count, or a negative errno value, for which
 *   this header brings the names; one that fails leaves its outputs untouched.  The library
 *   never prints (debug mode apart), aborts or exits.  In every call these mean
 *     -EINVAL  the selector is NULL, or an argument is invalid
 *     -ECHILD  the process is a forked child, made by fork(), _Fork() or clone(),
 *              that has not called sel_after_fork() on this selector
 *   and -ENOENT means "not registered" and nothing else.
 * Threads.  Only one thread at a time may use a selector; that is the selector's thread.
 *   Only sel_wakeup() and sel_call_soon_threadsafe() may be called from others meanwhile.  If
 *   a thread is cancelled (pthread_cancel), these two calls complete first, and a wait ends as
 *   if nothing had been ready; disable cancellation around every other call.
 * Backends.  Every call behaves the same on all of them.  What differs is the speed, -ERANGE
 *   on `select`, sel_fileno() and the name.
 */
#ifndef SELKIE_SELECTORS_H
#define SELKIE_SELECTORS_H

#include <selkie/version.h>

#include <errno.h>
#include <math.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What a descriptor is watched for, and what it is ready for: a set of bits.
 * READ and WRITE are Python's EVENT_READ and EVENT_WRITE; EXCEPT is the third list of
 * select.select(): an out-of-band byte has arrived.
 */
enum { SEL_EVENT_READ = 1, SEL_EVENT_WRITE = 2, SEL_EVENT_EXCEPT = 4 };

/* A timeout that never expires: Python's timeout=None. */
#define SEL_FOREVER HUGE_VAL

/* A selector.  The struct is opaque. */
typedef struct sel_selector sel_selector;

typedef struct sel_key sel_key;
typedef struct sel_ready sel_ready;

/*
 * What a ready key calls.  `key` stays readable until the callback returns; `mask` holds the
 * events that it is ready for.  The callback may register, modify, unregister and close any
 * descriptor, its own included.  Once its key has been unregistered, no matter by whom,
 * `key->callback` is NULL and `key->events` is 0, while `fd` and `data` stay, so a callback
 * can check whether the key is still its own.
 *
 * It must return, as must everything else that the library calls: if longjmp() or a C++
 * exception leaves it, the selector still counts as inside it and returns -EBUSY for good.  In
 * a child that it forks it may return, too; the pass ends there, and sel_run(), sel_select()
 * and sel_dispatch() return -ECHILD.
 */
typedef void sel_callback(sel_selector *sel, const sel_key *key, int mask);

/*
 * Python's SelectorKey.  In Python the callback is the data, because a callable carries its
 * own state; a C function carries none, so here the two are a pair.  `events` is 0 while the
 * key is paused.  This struct never grows.
 */
struct sel_key {
    int fd;
    int events;
    sel_callback *callback;
    void *data;
};

/* One (key, mask) pair.  This struct never grows. */
struct sel_ready {
    sel_key key;
    int mask;
};

/* What a selector waits with: Python's family of selector classes. */
typedef enum {
    SEL_BACKEND_DEFAULT, /* `uv`, `epoll` or `kqueue`, or what SELKIE_BACKEND names */
    SEL_BACKEND_UV,      /* one libuv poll handle for every descriptor */
    SEL_BACKEND_EPOLL,   /* epoll(7) itself */
    SEL_BACKEND_POLL,    /* poll(2) */
    SEL_BACKEND_SELECT,  /* select(2): descriptors below 1024 */
    SEL_BACKEND_KQUEUE   /* kqueue(2): macOS and the BSDs */
} sel_backend;

/*
 * Open a selector.
 *
 * SEL_BACKEND_DEFAULT is `uv`, or in a build without libuv `epoll`, or `kqueue` where there is
 * no epoll(7), unless the environment variable SELKIE_BACKEND says uv, epoll, poll, select or
 * kqueue; a setuid program ignores it.
 *
 * Returns 0 and the selector in *ret_sel.
 * Errors: -EINVAL   ret_sel is NULL; no such backend; SELKIE_BACKEND names none
 *         -ENOTSUP  this build does not have the backend
 *         -ENOMEM, -EMFILE, -ENFILE
 * Owner: the caller, who ends it with sel_close().  Thread: any.
 * Python: `selectors.DefaultSelector()`.  From: CPython.  Since 0.1.0.
 */
SEL_API int sel_open(sel_backend backend, sel_selector **ret_sel);

/*
 * Close a selector and free everything that the library made for it.
 *
 * None of the program's descriptors is closed and none of its data freed.
 * Executor work that has not started is cancelled, running work is waited for,
 * and `done` is called for both; tasks and timers are dropped.  In a forked child
 * the parent's selector is left alone.
 *
 * Arguments: NULL does nothing.
 * Errors: -EBUSY  called from inside a callback; nothing has changed
 * Owner: the selector no longer exists afterwards.
 * Thread: call only from the selector's thread; once this call has begun, no
 *   other thread may begin one.
 * Python: `sel.close()`.  Since 0.1.0.
 */
SEL_API int sel_close(sel_selector *sel);

/*
 * Watch a descriptor.
 *
 * When the call returns, the descriptor's flags, O_NONBLOCK included, are what they were
 * before.  On `uv` the first registration of a number sets O_NONBLOCK for a moment: another
 * process that makes a blocking read from the same open file may get EAGAIN.  On failure no
 * key is left behind.  Cost: O(1).
 *
 * If a key's descriptor has been closed, or its number now stands for another file, the key is
 * gone and the number free: the new key takes its place, and the old one's pair in the current
 * batch is dead.
 *
 * Arguments: `events`: at least one SEL_EVENT_ bit.  `callback` may be NULL in a
 *   program that reads the pairs itself.
 * Errors: -EINVAL  fd is negative; events is 0 or has an unknown bit
 *         -EEXIST  already registered, and still the same file
 *         -EBADF   not an open descriptor
 *         -EPERM   always ready, so there is nothing to wait for: a regular file,
 *                  a directory, /dev/null; just read it
 *         -ERANGE  `select` only: a descriptor of 1024 or more, which select(2)
 *                  can't hold
 *         -ELOOP   a selector's descriptor that would be nested too deeply
 *         -EINVAL  duplicates of one file would be in too many nested selectors,
 *                  counting the loops that these are attached to
 *         -ENOMEM; -ENOSPC at the kernel's limit on epoll watches
 * Owner: the descriptor and `data` stay the caller's.  Unregister a descriptor
 *   before closing it; sel_unregister() says what happens otherwise.
 * Thread: call only from the selector's thread.
 * Python: `sel.register(fileobj, events, data)`.  From: CPython, epoll_ctl(2).
 * Since 0.1.0.
 */
SEL_API int sel_register(sel_selector *sel, int fd, int events,
                         sel_callback *callback, void *data);

/*
 * Change a key's events, callback and data.
 *
 * `events` 0, allowed only here, pauses the key: it stays registered, and nothing is reported
 * for it, not even a hang-up.  Adding events makes one system call (fstat; on `kqueue` two),
 * which shows whether the number still stands for the file that was registered.  Dropping
 * events, or changing only callback and data, makes none and so can't tell, unless a wait has
 * already found out.  The kernel is told the net change just before the next wait, so a change
 * that has been undone by then costs nothing there.
 *
 * A pair in the current batch changes with its key.
 *
 * Errors: -EINVAL  an unknown bit; the key is untouched
 *         -ENOENT  not registered
 *         -EBADF   the descriptor is known, or now found, to be closed or another
 *                  file; the key has been removed, as in CPython
 * Owner: as for sel_register().
 * Thread: call only from the selector's thread.
 * Python: `sel.modify(fileobj, events, data)`.  Since 0.1.0.
 */
SEL_API int sel_modify(sel_selector *sel, int fd, int events,
                       sel_callback *callback, void *data);

/*
 * Stop watching a descriptor.
 *
 * Succeeds for a registered descriptor, whatever has happened to it since.  To
 * free what `data` points to, call sel_get_key() first; Python's unregister
 * returns the key.
 *
 * Closing a registered descriptor is a mistake, but a harmless one: the descriptor is not
 * reported, disturbs no other and makes no wait spin, even if its number now belongs to
 * another file (recognised by device and inode; files that share both, as eventfds do, can't
 * be told apart).  Only while a duplicate keeps the same file open may it still be reported,
 * until it is unregistered.  Another thread must not close it, though: if that happens between
 * a check by `uv` and libuv's own call, libuv ends the process.
 *
 * Errors: -ENOENT  not registered
 * Thread: call only from the selector's thread.
 * Python: `sel.unregister(fileobj)`.  Since 0.1.0.
 */
SEL_API int sel_unregister(sel_selector *sel, int fd);

/*
 * Wait until something is ready.
 *
 * Returns when a descriptor is ready, when `timeout` has passed, when sel_wakeup()
 * has been called, or when the reactor has something to run.  Level-triggered:
 * every call reports what is ready for as long as it stays ready, each descriptor
 * once, all its events in one mask.  A mask is never 0 and holds no bit that is
 * not in key.events.  A hang-up or an error (a refused connect, a pipe whose other
 * end is gone, a reset) sets every bit that is watched.  An out-of-band byte alone
 * sets EXCEPT and nothing else.
 *
 * The wait is never early by CLOCK_MONOTONIC; on an idle machine it is late by
 * less than 2.5 ms on `uv`, which counts in whole milliseconds, and by less than
 * 1 ms on the others.  A signal does not end it: the wait goes on to its original
 * deadline (PEP 475).  Time for which the process is stopped (SIGSTOP) counts,
 * except on `poll` and `select` where the kernel has no poll(2), as on arm64.  A
 * wait allocates no memory, and uses less than 20 KiB of the thread's stack on
 * `uv`, less than 4 KiB on the others.
 *
 * Lowering RLIMIT_NOFILE below what is registered disturbs no wait.  While it is
 * that low, `poll` and `select` report a hang-up only where READ is watched, and
 * with a limit of 0 as READ alone.
 *
 * The pairs never lie.  When a key is modified, paused or unregistered afterwards,
 * its pair changes with it: `key` shows the new callback and data, events that are
 * no longer wanted leave `mask`, and after unregistering `mask` is 0 for good,
 * even if the number is registered again.  The array does not move.
 *
 * Arguments: `timeout` in seconds: SEL_FOREVER waits without limit, zero or less
 *   returns at once, a huge value is waited out in parts.  ret_ready may be NULL
 *   in a program that only dispatches.
 * Returns the number of pairs, which may be 0, and the pairs in *ret_ready.
 * Errors: -EINVAL  timeout is NaN
 *         -EBUSY   called from inside a callback, or while attached to a loop
 *         -ENOMEM, -ENOSPC, -EMFILE, -ELOOP  the kernel refused what the wait
 *                  needs; every key is still there and the next call tries again
 * Owner: the pairs are the selector's and stay valid until the next sel_select().
 * Thread: call only from the selector's thread.
 * Python: `sel.select(timeout)`.  From: CPython, PEP 475.  Since 0.1.0.
 */
SEL_API int sel_select(sel_selector *sel, double timeout, const sel_ready **ret_ready);

/*
 * Call everything that the last sel_select() collected, each once.
 *
 * First the tasks queued before this call, then the callback of every pair
 * whose mask is not 0, then due timers, signal handlers and executor results.
 * A NULL callback is skipped.  A second call in a row has no pairs left.
 *
 * Returns how many were called.
 * Errors: -EBUSY   called from inside a callback, or while attached to a loop
 *         -ECHILD  also in a child that one of the callbacks has forked
 * Thread: call only from the selector's thread.
 * Python: `for key, mask in events: key.data(key.fileobj, mask)`.
 * Since 0.1.0.
 */
SEL_API int sel_dispatch(sel_selector *sel);

/*
 * Get the key of a descriptor.
 *
 * Returns 0 and a copy in *ret_key.
 * Errors: -EINVAL  ret_key is NULL
 *         -ENOENT  not registered
 * Owner: the copy is the caller's; what its data points to stays the program's.
 * Thread: call only from the selector's thread.
 * Python: `sel.get_key(fileobj)`.  Since 0.1.0.
 */
SEL_API int sel_get_key(sel_selector *sel, int fd, sel_key *ret_key);

/*
 * Get all keys, in ascending order of their descriptors.
 *
 * Copies the first `capacity` keys to ret_keys.
 *
 * Arguments: ret_keys may be NULL if capacity is 0.
 * Returns how many are registered, which may be more than were copied;
 *   sel_get_map(sel, NULL, 0) counts.
 * Errors: -EINVAL  ret_keys is NULL and capacity is not 0
 * Owner: the copies are the caller's.
 * Thread: call only from the selector's thread.
 * Python: `sel.get_map()`.  Since 0.1.0.
 */
SEL_API int sel_get_map(sel_selector *sel, sel_key *ret_keys, size_t capacity);

/*
 * Get a descriptor by which another loop can watch this selector.
 *
 * After a sel_select(sel, 0) that returned 0, it becomes readable when the next
 * one would return pairs; any later call on the selector voids that until the
 * next such sel_select().  The other loop must sleep no longer than
 * sel_get_timeout() says.
 *
 * Returns the descriptor, the same for the selector's whole life except across
 *   sel_after_fork().
 * Errors: -ENOTSUP  `poll` and `select` keep nothing in the kernel
 *         -ELOOP, -EINVAL  the kernel's limits on nesting, as in sel_register()
 *         -EMFILE, -ENFILE, -ENOMEM
 * Owner: the selector; do not close it.
 * Thread: call only from the selector's thread.
 * Python: `sel.fileno()`.  Since 0.1.0.
 */
SEL_API int sel_fileno(sel_selector *sel);

/*
 * How long another loop may sleep before it calls sel_select() again.
 *
 * Returns seconds: the time until the next timer, 0 if something is waiting to be
 *   dispatched, SEL_FOREVER if there is neither (and for a NULL selector).
 * Errors: none.
 * Thread: call only from the selector's thread.
 * Python: no counterpart; libuv's uv_backend_timeout().  Since 0.1.0.
 */
SEL_API double sel_get_timeout(sel_selector *sel);

/*
 * Make the current sel_select() return, or else the next one.
 *
 * Calls coalesce: several before a wait end one wait.
 *
 * Errors: -EINVAL, -ECHILD.
 * Thread: any, even in a signal handler.  No call may begin once sel_close() has
 *   begun.
 * Python: what asyncio's self-pipe does.  Since 0.1.0.
 */
SEL_API int sel_wakeup(sel_selector *sel);

/*
 * Make a selector usable in a forked child.
 *
 * It keeps the keys, tasks and timers it had, and nothing it does is felt in the
 * parent.  Executor work submitted before the fork belongs to the parent.  Signal
 * handlers go on in both processes; a signal that had arrived by then is the
 * parent's.  A child forked inside a callback has the tasks and timers that had
 * not run by then, and drops the rest of that pass.  In a process that has not
 * been forked since sel_open() the call does nothing.
 *
 * Errors: -EMFILE, -ENFILE, -ENOMEM  calls still return -ECHILD; try again; if it
 *                  is libuv that could not follow the fork, -ENOMEM stays, and all
 *                  that is left is sel_close(), which does not free what that loop
 *                  holds
 *         -EBADF   the child has closed the library's descriptors, and with them those
 *                  of a libuv loop: that of `uv`, of signal handlers or sel_loop(), or
 *                  one that the selector is attached to; all that is left is sel_close()
 *         -EBUSY   called from inside a callback
 * Thread: the child's only thread.
 * Python: no counterpart; CPython's epoll selectors are shared by accident.
 * Since 0.1.0.
 */
SEL_API int sel_after_fork(sel_selector *sel);

/*
 * The name of a selector's backend: "uv", "epoll", "poll", "select" or "kqueue"; NULL
 * for a NULL selector.
 *
 * Errors: none.
 * Owner: the library; a constant string.  Thread: any.
 * Python: `type(sel).__name__`.  Since 0.1.0.
 */
SEL_API const char *sel_backend_name(const sel_selector *sel);

/*
 * 1 if sel_open() can use this backend, 0 if this build does not have it.
 *
 * Errors: none.
 * Thread: any.  Python: `hasattr(selectors, "EpollSelector")`.  Since 0.1.0.
 */
SEL_API int sel_backend_available(sel_backend backend);

/*
 * The message for an error of this library, or for any errno value, positive or
 * negative.
 *
 * Errors: none; a number that is not an errno value has a message, too.
 * Owner: the library; the string does not change until the thread exits or calls
 *   this again.  Thread: any.
 * Python: `os.strerror(code)`.  Since 0.1.0.
 */
SEL_API const char *sel_strerror(int error);

#ifdef __cplusplus
}
#endif

#endif
