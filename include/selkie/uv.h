/* SPDX-License-Identifier: MIT */
/*
 * selkie/uv.h - selkie inside a libuv program, and libuv inside selkie.
 *
 * The only public header that includes libuv's.
 */
#ifndef SELKIE_UV_H
#define SELKIE_UV_H

#include <selkie/selectors.h>

#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * From now on uv_run(loop) dispatches `sel` alongside the loop's own handles.
 *
 * The selector's keys, tasks, timers, signal handlers and results keep `loop`
 * alive for exactly as long as sel_run() would go on, so uv_run(loop,
 * UV_RUN_DEFAULT) returns when both the loop and the selector are done.  None of
 * the selector's descriptors is put on `loop`, only its sel_fileno().
 *
 * While attached, sel_select(), sel_dispatch() and sel_run() return -EBUSY: the
 * loop does their work.  sel_close() detaches; the memory it leaves on `loop` is
 * freed when the loop next runs, so run the loop once more before uv_loop_close().
 * A forked child that goes on calls uv_loop_fork() and sel_after_fork(), in either
 * order.
 *
 * Errors: -EINVAL   sel or loop is NULL
 *         -EBUSY    already attached, or called from inside a callback
 *         -ELOOP    `loop` is the selector's own
 *         -EINVAL   duplicates of one file would be in too many nested selectors
 *         -ENOTSUP  backend `poll` or `select`, which have no sel_fileno()
 *         -ENOMEM, -EMFILE
 *         -ECHILD   in a forked child before sel_after_fork()
 * Owner: the loop stays the program's and must outlive the selector.
 * Thread: call only from the thread that runs the loop.
 * Python: no counterpart; asyncio and trio call this guest mode.
 * From: libuv's embedding recipe (uv_backend_fd, uv_backend_timeout).
 * Since 0.1.0.
 */
SEL_API int sel_attach_loop(sel_selector *sel, struct uv_loop_s *loop);

/*
 * Get the selector's own loop, to which any libuv handle can be added.
 *
 * Handles on it (uv_tcp_t, uv_spawn's uv_process_t, uv_fs_event_t ...) run
 * inside sel_dispatch(), after the pairs; while one of them is active and
 * referenced, sel_run() goes on.  Prepare, check and idle handles run once in
 * every pass: what a prepare handle does is done before the next wait, and if one
 * has just been started, the next wait does not sleep.  If a handle's callback
 * forks, it returns to libuv in the child as well, which finishes its turn of the
 * loop there; after that nothing more runs in the child.  The pointer is the same
 * for the selector's whole life, even across sel_after_fork().  Do not run, stop
 * or close the loop.  sel_close() closes the handles that are left on it but does
 * not free their memory: that is the program's, which may free it from then on.
 * If libuv makes a callback meanwhile, for a request that is cancelled say, every
 * call on the selector returns -ECANCELED there.
 *
 * Returns: the loop, or NULL if it can't be made, in a forked child before
 *   sel_after_fork(), or if sel is NULL.
 * Errors: only NULL, which stands for all of them.
 * Owner: the selector.  Thread: call only from the selector's thread.
 * Python: `asyncio.get_event_loop()`.  Since 0.1.0.
 */
SEL_API struct uv_loop_s *sel_loop(sel_selector *sel);

#ifdef __cplusplus
}
#endif

#endif
