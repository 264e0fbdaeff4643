/* SPDX-License-Identifier: MIT */
/*
 * selkie/reactor.h - the callback half of asyncio's event loop.
 *
 * sel_run() selects and dispatches until nothing is left to wait for.  Besides
 * the keys of <selkie/selectors.h> it runs tasks, timers, signal handlers and the
 * results of work done on pool threads, the same on every backend.  Tasks and
 * timers are the library's own; signals and pool threads are libuv's.
 *
 * The order of one pass: the tasks queued before it, the callbacks of the ready
 * keys, then due timers, signal handlers and results.  What a callback queues runs
 * in the next pass.  All of these are called by sel_dispatch() (and so by
 * sel_run()) and by nothing else, except that sel_close() may call `done`.
 *
 * Errors and threads are as in <selkie/selectors.h>.  What the reactor needs
 * beyond the selector is made on first use, so a bare selector pays nothing for
 * it.  Tasks and timers need only memory; the first signal handler or job can also
 * fail with -EMFILE or -ENFILE, and a job with -EAGAIN.  In a build without libuv
 * signal handlers and jobs fail with -ENOTSUP.
 */
#ifndef SELKIE_REACTOR_H
#define SELKIE_REACTOR_H

#include <selkie/selectors.h>

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a task, a timer, a reader, a writer or a signal handler calls. */
typedef void sel_task(sel_selector *sel, void *data);

/* What finished work calls; status is 0, or -ECANCELED if the work never ran. */
typedef void sel_done(sel_selector *sel, void *data, int status);

/* A timer; id 0 means none.  Ids are never reused. */
typedef struct {
    uint64_t id;
} sel_timer;

/*
 * Select and dispatch until sel_stop() or until nothing is left to wait for.
 *
 * It goes on while there is an unpaused key with a callback, a timer, a task, a
 * signal handler, an executor job, or an active handle on sel_loop().  Other
 * threads don't count: keep a key or a timer for as long as they may call.
 *
 * Returns 0.
 * Errors: -EBUSY  called from inside a callback, or while attached to a loop;
 *         else the errors of sel_select(), after which every key is still there
 * Thread: call only from the selector's thread.
 * Python: `loop.run_forever()`.  Since 0.1.0.
 */
SEL_API int sel_run(sel_selector *sel);

/*
 * End sel_run() when the current pass is done.  Called before sel_run(), it makes
 * that run return after one pass, as in asyncio.
 *
 * Errors: none; NULL does nothing.
 * Thread: call only from the selector's thread (from another one use
 *   sel_call_soon_threadsafe()).
 * Python: `loop.stop()`.  Since 0.1.0.
 */
SEL_API void sel_stop(sel_selector *sel);

/*
 * Would sel_run() go on?  1 if there is anything that it goes on for, else 0.
 *
 * For a program with a loop of its own around sel_select() and sel_dispatch().
 * Inside a callback only what is still to come counts: a task, or a timer that
 * runs once, no longer does as soon as it is called.
 *
 * Errors: -EINVAL  sel is NULL; -ECHILD
 * Thread: call only from the selector's thread.
 * Python: no counterpart; libuv's uv_loop_alive().  Since 0.2.0.
 */
SEL_API int sel_is_alive(sel_selector *sel);

/*
 * The clock of sel_call_at(), in seconds: CLOCK_MONOTONIC.
 *
 * Errors: none; NULL is allowed.  Thread: any.
 * Python: `loop.time()`.  Since 0.1.0.
 */
SEL_API double sel_time(sel_selector *sel);

/*
 * Call `task` in the next pass.
 *
 * Tasks run in the order they were queued, including those that the same thread
 * queued with sel_call_soon_threadsafe().
 *
 * Errors: -EINVAL  task is NULL; -ENOMEM
 * Owner: `data` stays the caller's.
 * Thread: call only from the selector's thread.
 * Python: `loop.call_soon(callback)`.  Since 0.1.0.
 */
SEL_API int sel_call_soon(sel_selector *sel, sel_task *task, void *data);

/*
 * sel_call_soon() from any thread, waking the selector's thread.
 *
 * Each task runs exactly once, on the thread that dispatches; tasks from one
 * thread run in the order they were queued.
 *
 * Errors: -EINVAL  task is NULL; -ENOMEM
 * Owner: `data` stays the caller's.
 * Thread: any, but not in a signal handler.  No call may begin once sel_close()
 *   has begun, except from executor work, which sel_close() waits for.
 * Python: `loop.call_soon_threadsafe(callback)`.  Since 0.1.0.
 */
SEL_API int sel_call_soon_threadsafe(sel_selector *sel, sel_task *task, void *data);

/*
 * Call `task` after `delay`, or at `when`, or every `interval` seconds.
 *
 * Timers run in the order of their due times, to the nanosecond, and those due at
 * the same time in the order they were made; none runs early.  A delay of 0 or
 * less means the next pass; a negative one puts the timer that much earlier among
 * those of that pass.  So sel_call_later(sel, 0, ...) is a sel_call_soon() that
 * can be cancelled and that runs after the pass's callbacks.  Run n of
 * sel_call_every() comes no earlier than start + n * interval; missed runs are
 * skipped.
 *
 * Arguments: seconds; `when` is on the clock of sel_time().  ret_timer may be
 *   NULL; otherwise it receives what sel_cancel() and sel_reschedule() take.
 * Errors: -EINVAL  task is NULL; NaN; an interval of 0 or less
 *         -ENOMEM
 * Owner: `data` stays the caller's.
 * Thread: call only from the selector's thread.
 * Python: `loop.call_later(delay, callback)`, `loop.call_at(when, callback)`;
 *   every: JavaScript's setInterval().  Since 0.1.0.
 */
SEL_API int sel_call_later(sel_selector *sel, double delay, sel_task *task,
                           void *data, sel_timer *ret_timer);
SEL_API int sel_call_at(sel_selector *sel, double when, sel_task *task,
                        void *data, sel_timer *ret_timer);
SEL_API int sel_call_every(sel_selector *sel, double interval, sel_task *task,
                           void *data, sel_timer *ret_timer);

/*
 * Make a pending timer due `delay` from now instead; its id stays the same.
 *
 * A repeating timer goes on from there: its later runs come no earlier than that
 * time + n * interval.  May be called anywhere, even in a repeating timer's own
 * task.  If the timer was due in the current pass, it runs in the next one at the
 * earliest.
 *
 * Arguments: `delay` in seconds, as for sel_call_later().
 * Errors: -EINVAL  NaN; -ENOENT  it has run or has been cancelled
 * Thread: call only from the selector's thread.
 * Python: `asyncio.Timeout.reschedule(when)`.  Since 0.2.0.
 */
SEL_API int sel_reschedule(sel_selector *sel, sel_timer timer, double delay);

/*
 * Cancel a timer: its task does not run (again).
 *
 * May be called anywhere, even in the timer's own task.
 *
 * Errors: -ENOENT  it has run or has been cancelled
 * Thread: call only from the selector's thread.
 * Python: `handle.cancel()`.  Since 0.1.0.
 */
SEL_API int sel_cancel(sel_selector *sel, sel_timer timer);

/*
 * From now on, call `task` whenever the descriptor can be read, or written.
 *
 * For libraries that ask for reading and for writing separately: a descriptor has
 * one reader and one writer, each with data of its own.  Adding one again replaces
 * its task and data; neither the old task nor the new one is called for what the
 * last wait found.  The call is about the file that the number stands for now: a
 * number whose file was closed or replaced is simply taken over.  If the
 * descriptor is already watched, the call makes one system call (fstat; on `kqueue` two).
 *
 * A hang-up or an error calls both, the reader first.  A task may add, remove and
 * close anything, its own descriptor included; what it removes is not called.
 * sel_run() goes on as long as there are any, and sel_after_fork() keeps them.
 * sel_unregister() removes both.  sel_get_map() and sel_dispatch() count the
 * descriptor once; the callback and data of its key are the library's own, and no
 * other key can have them.
 *
 * Errors: -EINVAL  task is NULL, or fd is negative
 *         -EEXIST  the descriptor is registered by sel_register(); conversely,
 *                  sel_register() and sel_modify() return it for a descriptor that
 *                  has a reader or a writer
 *         -EBADF, -EPERM, -ERANGE, -ELOOP, -ENOMEM, -ENOSPC  as in sel_register();
 *                  what the number had stays as it was
 * Owner: the descriptor and `data` stay the caller's.
 * Thread: call only from the selector's thread.
 * Python: `loop.add_reader(fd, callback)`, `loop.add_writer(fd, callback)`.
 * Since 0.2.0.
 */
SEL_API int sel_add_reader(sel_selector *sel, int fd, sel_task *task, void *data);
SEL_API int sel_add_writer(sel_selector *sel, int fd, sel_task *task, void *data);

/*
 * Remove a descriptor's reader, or its writer; without either it is no longer
 * watched.
 *
 * Errors: -EINVAL  fd is negative; -ENOENT  there is none
 * Thread: call only from the selector's thread.
 * Python: `loop.remove_reader(fd)`, `loop.remove_writer(fd)`.  Since 0.2.0.
 */
SEL_API int sel_remove_reader(sel_selector *sel, int fd);
SEL_API int sel_remove_writer(sel_selector *sel, int fd);

/*
 * Call `task` when the process gets signal `signum`; replaces this selector's
 * handler for it, if any.
 *
 * The task runs in sel_dispatch(), not in signal context.  Several selectors, each
 * on its own thread, may watch the same signal: each of them is told.  Signals
 * that arrive faster than they are handled coalesce, as in the kernel; libuv holds
 * 4,096 between two dispatches and drops any beyond these, whichever signals they
 * are.  Removing the last handler restores, in one step, the disposition that the
 * signal had before the first; one that the program has set since then stays.  If
 * the program has a uv_signal_t of its own for the same signal, on any loop, that
 * is told, too, and goes on; if one was there before the handler or is there after
 * it, its end leaves SIG_DFL, as always in libuv.
 *
 * Errors: -EINVAL  task is NULL; no such signal; SIGKILL or SIGSTOP
 *         -ENOMEM, -EMFILE, -ENFILE, -ENOTSUP
 * Owner: `data` stays the caller's.
 * Thread: call only from the selector's thread.
 * Python: `loop.add_signal_handler(sig, callback)`.  From: uv_signal_t.
 * Since 0.1.0.
 */
SEL_API int sel_add_signal_handler(sel_selector *sel, int signum, sel_task *task, void *data);

/*
 * Remove a signal's handler.  It is not called any more, not even for a signal
 * that has already arrived.
 *
 * Errors: -ENOENT  this selector has no handler for it
 * Thread: call only from the selector's thread.
 * Python: `loop.remove_signal_handler(sig)`.  Since 0.1.0.
 */
SEL_API int sel_remove_signal_handler(sel_selector *sel, int signum);

/*
 * Run `work(data)` on a pool thread, then `done(sel, data, status)` on this one.
 *
 * `done` is called exactly once, in sel_dispatch() or, at the latest, inside
 * sel_close(), which cancels work that has not started (status -ECANCELED) and
 * waits for work that has.  The pool is libuv's: 4 threads for the whole process,
 * or as many as the environment variable UV_THREADPOOL_SIZE says.  A forked child
 * gets threads of its own with its first job, and may exit() with or without them;
 * but if its parent used the pool and the system gives the child no threads, it
 * must end by _exit(), because at exit libuv would wait for the parent's.
 *
 * A child that `work` forks must end inside `work`, by exec or _exit().  A child
 * made by _Fork() or clone() looks to libuv like its parent: if that had used the
 * pool, the child has no executor and must end by _exit().
 *
 * Arguments: `done` may be NULL.
 * Errors: -EINVAL  work is NULL
 *         -ECANCELED  called by a `done` inside sel_close()
 *         -EAGAIN  the system refused the pool its threads, all of which the first
 *                  job of a process starts
 *         -ENOTSUP  this build has no executor, or this child has none
 *         -ENOMEM, -EMFILE, -ENFILE
 * Owner: `data` belongs to `work` until `done` is called.
 * Thread: call only from the selector's thread.
 * Python: `pool.apply_async(work, callback=done)`, `loop.run_in_executor()`.
 * From: uv_queue_work().  Since 0.1.0.
 */
SEL_API int sel_run_in_executor(sel_selector *sel, void (*work)(void *data),
                                sel_done *done, void *data);

#ifdef __cplusplus
}
#endif

#endif
