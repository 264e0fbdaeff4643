/* SPDX-License-Identifier: MIT */
/*
 * selkie/reactor.h - the callback half of asyncio's event loop.
 *
 * sel_run() selects and dispatches until nothing is left to wait for.  Beside
 * the keys of <selkie/selectors.h> it runs tasks, timers, signal handlers and
 * the results of work done on pool threads, the same on every backend.  Tasks
 * and timers are the library's own; signals and pool threads are libuv's.
 *
 * The order of one pass: the tasks queued before it, the callbacks of the
 * ready keys, then due timers, signal handlers and results.  What a callback
 * queues runs in the next pass.  Nothing here is ever called from anywhere but
 * sel_dispatch() (and so sel_run()), `done` inside sel_close() apart.
 *
 * Errors and threads are as <selkie/selectors.h> says.  What the reactor needs
 * beyond the selector is made on first use, so that a bare selector pays
 * nothing.  Tasks and timers need memory alone; the first signal handler or job
 * can also fail with -EMFILE or -ENFILE, and a job with -EAGAIN.  A build
 * without libuv answers those two with -ENOTSUP.
 */
#ifndef SELKIE_REACTOR_H
#define SELKIE_REACTOR_H

#include <selkie/selectors.h>

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a task, a timer, a reader or writer and a signal handler call. */
typedef void sel_task(sel_selector *sel, void *data);

/* What finished work calls; status 0, or -ECANCELED: the work never ran. */
typedef void sel_done(sel_selector *sel, void *data, int status);

/* A timer; id 0 is none.  Ids are never used again. */
typedef struct {
    uint64_t id;
} sel_timer;

/*
 * Select and dispatch until sel_stop() or until nothing is left to wait for.
 *
 * It goes on while there is an unpaused key with a callback, a timer, a task, a
 * signal handler, an executor job, or an active handle on sel_loop().  Other
 * threads don't count: keep a key or a timer alive for them.
 *
 * Returns 0.
 * Errors: -EBUSY  called from inside a callback, or while attached to a loop;
 *         else what sel_select() says, and then every key is still there
 * Thread: the selector's.
 * Python: `loop.run_forever()`.  Since 0.1.0.
 */
SEL_API int sel_run(sel_selector *sel);

/*
 * End sel_run() when the current pass is done.  Before sel_run(): that run
 * returns after one pass, as asyncio's does.
 *
 * Errors: none; NULL does nothing.  Thread: the selector's (from another use
 *   sel_call_soon_threadsafe()).
 * Python: `loop.stop()`.  Since 0.1.0.
 */
SEL_API void sel_stop(sel_selector *sel);

/*
 * Would sel_run() go on?  1 while there is any of what it goes on for, else 0.
 *
 * For a program that has a loop of its own around sel_select() and
 * sel_dispatch().  Inside a callback it speaks of what is still to come: a task
 * or a timer that runs once counts no more as soon as it is called.
 *
 * Errors: -EINVAL  sel is NULL; -ECHILD
 * Thread: the selector's.
 * Python: no counterpart; libuv's uv_loop_alive().  Since 0.1.0.
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
 * Call `task` in the next pass, in the order the tasks were queued, those of the
 * same thread's sel_call_soon_threadsafe() among them.
 *
 * Errors: -EINVAL  task is NULL; -ENOMEM
 * Owner: `data` stays the caller's.  Thread: the selector's.
 * Python: `loop.call_soon(callback)`.  Since 0.1.0.
 */
SEL_API int sel_call_soon(sel_selector *sel, sel_task *task, void *data);

/*
 * sel_call_soon() from any thread, waking the selector's.
 *
 * Each task runs exactly once, one thread's in their order, on the thread that
 * dispatches.
 *
 * Errors: -EINVAL  task is NULL; -ENOMEM
 * Owner: `data` stays the caller's.  Thread: any, but no signal handler.  No
 *   call may begin after sel_close() has begun, but for one from executor work,
 *   which sel_close() waits for.
 * Python: `loop.call_soon_threadsafe(callback)`.  Since 0.1.0.
 */
SEL_API int sel_call_soon_threadsafe(sel_selector *sel, sel_task *task, void *data);

/*
 * Call `task` after `delay`, or at `when`, or every `interval` seconds.
 *
 * Tasks run in the order of their due times, to the nanosecond, equal ones in the
 * order they were made; none runs early.  A delay of 0 or less is the next pass,
 * and a negative one comes that much earlier among the timers of it.  So
 * sel_call_later(sel, 0, ...) is a sel_call_soon() that can be cancelled, and
 * runs when the pass's callbacks have.  Run n of sel_call_every() comes no
 * earlier than start + n * interval; runs that were missed are skipped.
 *
 * Arguments: seconds; `when` on sel_time()'s clock.  ret_timer may be NULL;
 *   else it receives what sel_cancel() and sel_reschedule() take.
 * Errors: -EINVAL  task is NULL; NaN; an interval of 0 or less
 *         -ENOMEM
 * Owner: `data` stays the caller's.  Thread: the selector's.
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
 * Let a timer that is to run be due `delay` from now instead; its id stays.
 *
 * A repeating one goes on from there: the runs after it come no earlier than
 * that time + n * interval.  Works from anywhere, a repeating timer's own task
 * included.  What was to run in the pass at hand runs in the next at the
 * earliest.
 *
 * Arguments: seconds, as sel_call_later() has them.
 * Errors: -EINVAL  NaN; -ENOENT  it has run or was cancelled
 * Thread: the selector's.
 * Python: `asyncio.Timeout.reschedule(when)`.  Since 0.1.0.
 */
SEL_API int sel_reschedule(sel_selector *sel, sel_timer timer, double delay);

/*
 * Cancel a timer: its task does not run (again).
 *
 * Works from anywhere, the timer's own task included.
 *
 * Errors: -ENOENT  it has run or was cancelled
 * Thread: the selector's.
 * Python: `handle.cancel()`.  Since 0.1.0.
 */
SEL_API int sel_cancel(sel_selector *sel, sel_timer timer);

/*
 * Call `task` whenever the descriptor can be read, or written, from now on.
 *
 * For libraries that say "watch this for reading" and "for writing" apart: a
 * descriptor has one reader and one writer, each with data of its own.  Adding
 * again replaces task and data; neither the replaced task nor the new one is
 * called for what the last wait has found.  The call speaks of the file that the
 * number means now: a number whose file was closed or replaced is simply taken.
 * It makes one system call (fstat) where the descriptor is watched already.
 *
 * A hang-up or an error runs both, the reader first.  A task may add, remove and
 * close anything, its own descriptor included; what was removed is not called.
 * sel_run() goes on for them, and they follow a fork.  sel_unregister() takes
 * both away.  sel_get_map() and sel_dispatch() count the descriptor once; the
 * callback and data of its key are the library's, and no other key can have them.
 *
 * Errors: -EINVAL  task is NULL, or fd negative
 *         -EEXIST  sel_register() has the descriptor; sel_register() and
 *                  sel_modify() say so of one that has a reader or a writer
 *         -EBADF, -EPERM, -ERANGE, -ELOOP, -ENOMEM, -ENOSPC  as sel_register();
 *                  what the number had stays as it was
 * Owner: the descriptor and `data` stay the caller's.  Thread: the selector's.
 * Python: `loop.add_reader(fd, callback)`, `loop.add_writer(fd, callback)`.
 * Since 0.1.0.
 */
SEL_API int sel_add_reader(sel_selector *sel, int fd, sel_task *task, void *data);
SEL_API int sel_add_writer(sel_selector *sel, int fd, sel_task *task, void *data);

/*
 * Remove a descriptor's reader, or its writer; with the last one it is no longer
 * watched.
 *
 * Errors: -EINVAL  fd is negative; -ENOENT  there is none
 * Thread: the selector's.
 * Python: `loop.remove_reader(fd)`, `loop.remove_writer(fd)`.  Since 0.1.0.
 */
SEL_API int sel_remove_reader(sel_selector *sel, int fd);
SEL_API int sel_remove_writer(sel_selector *sel, int fd);

/*
 * Call `task` when the process gets signal `signum`; replaces the handler that
 * this selector had for it.
 *
 * The task runs in sel_dispatch(), not in signal context.  Several selectors,
 * each on its own thread, may watch one signal: every one of them is told.
 * Signals that come faster than they are handled coalesce, as the kernel's do;
 * libuv holds 4,096 between two dispatches and drops what comes beyond them,
 * whatever its number.
 * The disposition that the signal had before the first handler comes back with
 * the last, in one step; what the program has set since stays.  A uv_signal_t of
 * the program's for the same signal, on any loop, is told too and goes on; where
 * one was there before or is there afterwards, its end leaves SIG_DFL, as libuv's
 * does.
 *
 * Errors: -EINVAL  task is NULL; no such signal; SIGKILL or SIGSTOP
 *         -ENOMEM, -EMFILE, -ENFILE, -ENOTSUP
 * Owner: `data` stays the caller's.  Thread: the selector's.
 * Python: `loop.add_signal_handler(sig, callback)`.  From: uv_signal_t.
 * Since 0.1.0.
 */
SEL_API int sel_add_signal_handler(sel_selector *sel, int signum, sel_task *task, void *data);

/*
 * Take that handler away.  A signal that has come but was not dispatched yet
 * is not.
 *
 * Errors: -ENOENT  this selector has no handler for it
 * Thread: the selector's.
 * Python: `loop.remove_signal_handler(sig)`.  Since 0.1.0.
 */
SEL_API int sel_remove_signal_handler(sel_selector *sel, int signum);

/*
 * Run `work(data)` on a pool thread and `done(sel, data, status)` here.
 *
 * `done` is called exactly once, in sel_dispatch() or, at the latest, inside
 * sel_close(), which cancels what has not started (status -ECANCELED) and
 * waits for what has.  The pool is libuv's: 4 threads for the whole process,
 * UV_THREADPOOL_SIZE in the environment for another number.  A forked child has
 * threads of its own from its first job on, and may exit() with or without: but one
 * whose parent used the pool, and to which the system gives no threads any more, ends
 * by _exit(), for libuv's end would wait for the parent's.
 *
 * A child that `work` forks ends inside it, by exec or _exit().  One that was
 * made by _Fork() or clone() libuv takes for its parent: if that had used the
 * pool, the child has no executor and ends by _exit().
 *
 * Arguments: `done` may be NULL when nobody asks.
 * Errors: -EINVAL  work is NULL
 *         -ECANCELED  called by a `done` inside sel_close()
 *         -EAGAIN  the system does not give the pool its threads, all of which the
 *                  first job of a process starts
 *         -ENOTSUP  this build has no executor, or this child has none
 *         -ENOMEM, -EMFILE, -ENFILE
 * Owner: `data` is `work`'s until `done`.  Thread: the selector's.
 * Python: `pool.apply_async(work, callback=done)`, `loop.run_in_executor()`.
 * From: uv_queue_work().  Since 0.1.0.
 */
SEL_API int sel_run_in_executor(sel_selector *sel, void (*work)(void *data),
                                sel_done *done, void *data);

#ifdef __cplusplus
}
#endif

#endif
