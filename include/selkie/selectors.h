/* SPDX-License-Identifier: MIT */
/*
 * selkie/selectors.h - Python's `selectors` module.
 *
 * A selector holds keys: a descriptor, the events it is watched for, and the
 * callback and data that belong to it.  sel_select() waits and returns
 * (key, mask) pairs; sel_dispatch() calls their callbacks.
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
 * Errors.  A call that can fail returns 0 or a count, or a negative errno
 *   value, whose names come with this header; its outputs are untouched when it
 *   fails.  The library never prints (debug mode apart), aborts or exits.
 *   Everywhere
 *     -EINVAL  the selector is NULL, or an argument is not what is asked for
 *     -ECHILD  the process is a forked child that has not called
 *              sel_after_fork() on this selector, be it by fork(), _Fork() or
 *              clone()
 *   and -ENOENT means "not registered" and nothing else.
 * Threads.  One thread at a time uses a selector.  Only sel_wakeup() and
 *   sel_call_soon_threadsafe() may be called beside it.  A thread that is
 *   cancelled (pthread_cancel) completes these two, and leaves a wait as if
 *   nothing had come; around every other call cancellation is to be disabled.
 * Backends.  All of them answer every call alike.  A program tells them apart
 *   by speed, by -ERANGE on `select`, by sel_fileno() and by name.
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
 * READ and WRITE are Python's EVENT_READ and EVENT_WRITE; EXCEPT is the third
 * list of select.select(): an out-of-band byte has come.
 */
enum { SEL_EVENT_READ = 1, SEL_EVENT_WRITE = 2, SEL_EVENT_EXCEPT = 4 };

/* A timeout that never ends: Python's timeout=None. */
#define SEL_FOREVER HUGE_VAL

/* A selector.  What is in it is the library's. */
typedef struct sel_selector sel_selector;

typedef struct sel_key sel_key;
typedef struct sel_ready sel_ready;

/*
 * What a ready key calls.  `key` stays readable until the callback returns;
 * `mask` holds the events that came.  It may register, modify, unregister and
 * close any descriptor, its own included.  Once its key has been unregistered,
 * by whomever, `key->callback` is NULL and `key->events` 0, while `fd` and `data`
 * stay: so a callback can ask whether the key is still its own.
 *
 * It has to return, as has everything else that the library calls: left by
 * longjmp() or by a C++ exception, the selector stays inside it, -EBUSY for good.
 * In a child that it forks it may return too; the pass ends there, and
 * sel_run(), sel_select() and sel_dispatch() say -ECHILD.
 */
typedef void sel_callback(sel_selector *sel, const sel_key *key, int mask);

/*
 * Python's SelectorKey.  There the callback is the data, because a callable
 * carries its own state; a C function carries none, so here it is a pair.
 * `events` is 0 while the key is paused.  This struct never grows.
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
    SEL_BACKEND_DEFAULT, /* `uv` or `epoll`, or what SELKIE_BACKEND names */
    SEL_BACKEND_UV,      /* one libuv poll handle for every descriptor */
    SEL_BACKEND_EPOLL,   /* epoll(7) itself */
    SEL_BACKEND_POLL,    /* poll(2) */
    SEL_BACKEND_SELECT   /* select(2): descriptors below 1024 */
} sel_backend;

/*
 * Make a selector.
 *
 * SEL_BACKEND_DEFAULT is `uv`, or `epoll` in a build without libuv, unless the
 * environment's SELKIE_BACKEND says uv, epoll, poll or select; a program that
 * runs setuid does not look there.
 *
 * Returns 0 and the selector in *ret_sel.
 * Errors: -EINVAL   ret_sel is NULL; no such backend; SELKIE_BACKEND is no name
 *                   of one
 *         -ENOTSUP  this build has no such backend
 *         -ENOMEM, -EMFILE, -ENFILE
 * Owner: the caller, who ends it with sel_close().  Thread: any.
 * Python: `selectors.DefaultSelector()`.  From: CPython.  Since 0.1.0.
 */
SEL_API int sel_open(sel_backend backend, sel_selector **ret_sel);

/*
 * End a selector and free everything that the library made for it.
 *
 * No descriptor of the program's is closed and no data freed.  Executor work
 * that has not started is cancelled, work that runs is waited for, and `done`
 * is called for both; tasks and timers are dropped.  In a forked child it
 * leaves the parent's selector alone.
 *
 * Arguments: NULL does nothing.
 * Errors: -EBUSY  called from inside a callback; nothing has changed
 * Owner: the selector is gone afterwards.  Thread: the selector's; no other
 *   thread may begin a call once this one has begun.
 * Python: `sel.close()`.  Since 0.1.0.
 */
SEL_API int sel_close(sel_selector *sel);

/*
 * Watch a descriptor.
 *
 * The descriptor's flags, O_NONBLOCK among them, are what they were when the
 * call returns.  On `uv` the first registration of a number sets O_NONBLOCK for
 * a moment: another process that has the same open file and reads it blocking
 * may get EAGAIN.  On failure no key is left behind.  Cost: O(1).
 *
 * A key whose descriptor was closed, or whose number is another file by now, is
 * gone, and its number is free: the new key takes its place, and the old one's
 * pair in the current batch is dead.
 *
 * Arguments: `events`: at least one SEL_EVENT_ bit.  `callback` may be NULL for
 *   a program that reads the pairs itself.
 * Errors: -EINVAL  fd is negative; events is 0 or has an unknown bit
 *         -EEXIST  already registered, and still the same file
 *         -EBADF   not an open descriptor
 *         -EPERM   always ready and so nothing to wait for: a regular file, a
 *                  directory, /dev/null; just read it
 *         -ERANGE  `select` only: select(2) can't hold a descriptor of 1024 up
 *         -ELOOP   a selector's descriptor that would be nested too deep
 *         -EINVAL  duplicates of one file would be in too many selectors in
 *                  selectors, loops that they are attached to included
 *         -ENOMEM; -ENOSPC at the kernel's limit of epoll watches
 * Owner: the descriptor and `data` stay the caller's.  Unregister a descriptor
 *   before closing it; what happens otherwise stands at sel_unregister().
 * Thread: the selector's.
 * Python: `sel.register(fileobj, events, data)`.  From: CPython, epoll_ctl(2).
 * Since 0.1.0.
 */
SEL_API int sel_register(sel_selector *sel, int fd, int events,
                         sel_callback *callback, void *data);

/*
 * Change what a descriptor is watched for, its callback and its data.
 *
 * `events` 0, allowed here alone, pauses the key: it stays registered and
 * nothing is reported for it, hang-up included.  Adding events makes one system
 * call (fstat), which shows whether the number still is the file that was
 * registered.  Dropping events or changing only callback and data makes none,
 * and so can't know, unless a wait has found out before.  The kernel hears the
 * net change just before the next wait, so one that was undone costs nothing
 * there.
 *
 * A pair of the current batch changes with its key.
 *
 * Errors: -EINVAL  an unknown bit; the key is untouched
 *         -ENOENT  not registered
 *         -EBADF   the descriptor is known or found to be closed or another file;
 *                  the key has been removed, as in CPython
 * Owner: as for sel_register().  Thread: the selector's.
 * Python: `sel.modify(fileobj, events, data)`.  Since 0.1.0.
 */
SEL_API int sel_modify(sel_selector *sel, int fd, int events,
                       sel_callback *callback, void *data);

/*
 * Stop watching a descriptor.
 *
 * Succeeds for a registered descriptor whatever has happened to it since.  To
 * free what `data` points to, ask sel_get_key() first; Python's unregister
 * returns the key.
 *
 * A descriptor that was closed while registered is a mistake that does no
 * harm: it is not reported, disturbs no other and makes no wait spin, also
 * when its number now belongs to another file (recognised by device and inode;
 * files that share both, as eventfds do, can't be told apart).  Only while a
 * duplicate keeps the same file open may it still be reported until it is
 * unregistered.  Another thread must not close it, though: where that falls
 * between a look of `uv` and libuv's own call, libuv ends the process.
 *
 * Errors: -ENOENT  not registered
 * Thread: the selector's.
 * Python: `sel.unregister(fileobj)`.  Since 0.1.0.
 */
SEL_API int sel_unregister(sel_selector *sel, int fd);

/*
 * Wait until something is ready.
 *
 * Returns when a descriptor is ready, `timeout` is over, sel_wakeup() was
 * called or the reactor has something to run.  Level-triggered: what is ready
 * is reported by every call for as long as it lasts, each descriptor once, all
 * its events in one mask.  A mask is never 0 and holds no bit that is not in
 * key.events.  Hang-up and error set every bit that is watched: a refused
 * connect, a pipe whose other end is gone, a reset.  An out-of-band byte alone
 * is EXCEPT and nothing else.
 *
 * The wait is never early by CLOCK_MONOTONIC; late, on an idle machine, by
 * less than 2.5 ms on `uv`, which counts whole milliseconds, and less than
 * 1 ms on the others.  A signal does not end it: the wait goes on to the
 * original deadline (PEP 475).  The time for which the process is stopped
 * (SIGSTOP) counts, but for `poll` and `select` on a kernel without poll(2), as
 * arm64's is.  It takes no memory, and less than 20 KiB of the thread's stack on
 * `uv`, 4 KiB on the others.
 *
 * A RLIMIT_NOFILE that is lowered below what is registered disturbs no wait.  As
 * long as it is, `poll` and `select` tell a hang-up only where READ is watched,
 * and with a limit of 0 as READ alone.
 *
 * The pairs never lie.  When a key is modified, paused or unregistered
 * afterwards, its pair changes with it: `key` shows the new callback and data,
 * events no longer wanted leave `mask`, and after unregistering `mask` is 0
 * for good, also when the number is registered again.  The array does not
 * move.
 *
 * Arguments: `timeout` in seconds: SEL_FOREVER waits, zero or less only looks,
 *   a huge value is waited out in parts.  ret_ready may be NULL for a program
 *   that only dispatches.
 * Returns the number of pairs, 0 among them, and the pairs in *ret_ready.
 * Errors: -EINVAL  timeout is NaN
 *         -EBUSY   called from inside a callback, or while attached to a loop
 *         -ENOMEM, -ENOSPC, -EMFILE, -ELOOP  the kernel refused what the wait
 *                  needs; every key is still there and the next call tries again
 * Owner: the pairs are the selector's, valid until the next sel_select().
 * Thread: the selector's.
 * Python: `sel.select(timeout)`.  From: CPython, PEP 475.  Since 0.1.0.
 */
SEL_API int sel_select(sel_selector *sel, double timeout, const sel_ready **ret_ready);

/*
 * Call what the last sel_select() collected, each once.
 *
 * First the tasks queued before this call, then the callback of every pair
 * whose mask is not 0, then due timers, signal handlers and executor results.
 * A NULL callback is passed over.  A second call in a row has no pairs left.
 *
 * Returns how many were called.
 * Errors: -EBUSY   called from inside a callback, or while attached to a loop
 *         -ECHILD  in a child that one of the callbacks has forked, too
 * Thread: the selector's.
 * Python: `for key, mask in events: key.data(key.fileobj, mask)`.
 * Since 0.1.0.
 */
SEL_API int sel_dispatch(sel_selector *sel);

/*
 * The key of a descriptor.
 *
 * Returns 0 and a copy in *ret_key.
 * Errors: -EINVAL  ret_key is NULL
 *         -ENOENT  not registered
 * Owner: the copy is the caller's, what its data points to the program's.
 * Thread: the selector's.
 * Python: `sel.get_key(fileobj)`.  Since 0.1.0.
 */
SEL_API int sel_get_key(sel_selector *sel, int fd, sel_key *ret_key);

/*
 * All keys, in ascending order of their descriptors.
 *
 * Copies the first `capacity` keys to ret_keys.
 *
 * Arguments: ret_keys may be NULL when capacity is 0.
 * Returns how many are registered, which may be more than were copied;
 *   sel_get_map(sel, NULL, 0) counts.
 * Errors: -EINVAL  ret_keys is NULL and capacity is not 0
 * Owner: the copies are the caller's.  Thread: the selector's.
 * Python: `sel.get_map()`.  Since 0.1.0.
 */
SEL_API int sel_get_map(sel_selector *sel, sel_key *ret_keys, size_t capacity);

/*
 * A descriptor that another loop can watch this selector by.
 *
 * After a sel_select(sel, 0) that returned 0 it turns readable when the next
 * one would return pairs; any later call on the selector voids that until the
 * next such sel_select.  The other loop sleeps sel_get_timeout() at most.
 *
 * Returns the descriptor, the same for the selector's life except across
 *   sel_after_fork().
 * Errors: -ENOTSUP  `poll` and `select` keep nothing in the kernel
 *         -ELOOP, -EINVAL  the kernel's limits of nesting, as in sel_register()
 *         -EMFILE, -ENFILE, -ENOMEM
 * Owner: the selector; do not close it.  Thread: the selector's.
 * Python: `sel.fileno()`.  Since 0.1.0.
 */
SEL_API int sel_fileno(sel_selector *sel);

/*
 * How long another loop may sleep before it calls sel_select() again.
 *
 * Returns seconds: the time to the next timer, 0 when something is waiting to
 *   be dispatched, SEL_FOREVER when there is neither (and for a NULL selector).
 * Errors: none.  Thread: the selector's.
 * Python: no counterpart; libuv's uv_backend_timeout().  Since 0.1.0.
 */
SEL_API double sel_get_timeout(sel_selector *sel);

/*
 * Make the current or else the next sel_select() return.
 *
 * Calls coalesce: several before a wait end one wait.
 *
 * Errors: -EINVAL, -ECHILD.
 * Thread: any, and signal handlers.  No call may begin after sel_close() has
 *   begun.
 * Python: what asyncio's self-pipe does.  Since 0.1.0.
 */
SEL_API int sel_wakeup(sel_selector *sel);

/*
 * Make a selector usable in a forked child.
 *
 * It has the keys, tasks and timers it had; nothing it does is felt in the
 * parent.  Executor work handed in before the fork belongs to the parent.
 * Signal handlers go on in both; what had come for one by then is the parent's.
 * Forked inside a callback, the child has the tasks and timers that had not run
 * by then, and drops the rest of that pass.  In a process that has not forked
 * since sel_open() the call does nothing.
 *
 * Errors: -EMFILE, -ENFILE, -ENOMEM  the selector still says -ECHILD; try again;
 *                  where it is libuv that could not follow, -ENOMEM stays, and
 *                  only sel_close() is left, which keeps what that loop holds
 *         -EBADF   the child has closed the library's descriptors, and with them
 *                  a libuv loop's: of `uv`, of timers, signal handlers or
 *                  sel_loop(), or one it is attached to; only sel_close() is left
 *         -EBUSY   called from inside a callback
 * Thread: the child's only one.
 * Python: no counterpart; CPython's epoll selectors are shared by accident.
 * Since 0.1.0.
 */
SEL_API int sel_after_fork(sel_selector *sel);

/*
 * The name of a selector's backend: "uv", "epoll", "poll" or "select"; NULL
 * for a NULL selector.
 *
 * Errors: none.
 * Owner: the library; a constant string.  Thread: any.
 * Python: `type(sel).__name__`.  Since 0.1.0.
 */
SEL_API const char *sel_backend_name(const sel_selector *sel);

/*
 * 1 if sel_open() can make a selector with this backend, 0 if this build has
 * none such.
 *
 * Errors: none.
 * Thread: any.  Python: `hasattr(selectors, "EpollSelector")`.  Since 0.1.0.
 */
SEL_API int sel_backend_available(sel_backend backend);

/*
 * The message for an error of this library, or for any errno of either sign.
 *
 * Errors: none; a number that is no errno has a message, too.
 * Owner: the library; a string that stays as it is until the thread exits or
 *   asks again.  Thread: any.
 * Python: `os.strerror(code)`.  Since 0.1.0.
 */
SEL_API const char *sel_strerror(int error);

#ifdef __cplusplus
}
#endif

#endif
