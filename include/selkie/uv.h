/* SPDX-License-Identifier: MIT */
/*
 * selkie/uv.h - selkie inside a libuv program, and libuv inside selkie.
 *
 * The one public header that knows libuv.
 */
#ifndef SELKIE_UV_H
#define SELKIE_UV_H

#include <selkie/selectors.h>

#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * From now on uv_run(loop) dispatches `sel` beside the loop's own handles.
 *
 * The selector's keys, tasks, timers, signal handlers and results keep `loop`
 * alive exactly while sel_run would go on, so uv_run(loop, UV_RUN_DEFAULT)
 * returns when both the loop and the selector are done.  No descriptor of the
 * selector's is put on `loop`: only the selector's own sel_fileno().
 *
 * While attached, sel_select, sel_dispatch and sel_run are -EBUSY: the loop
 * does their work.  sel_close detaches; the memory it leaves on `loop` goes
 * when the loop next runs, so run the loop once more before uv_loop_close.  A
 * forked child that goes on calls uv_loop_fork and sel_after_fork, in any order.
 *
 * Errors: -EINVAL   sel or loop is NULL
 *         -EBUSY    already attached, or called from inside a callback
 *         -ELOOP    `loop` is the selector's own
 *         -EINVAL   duplicates of one file would be in too many nested sets
 *         -ENOTSUP  backend `poll` or `select`, which have no sel_fileno()
 *         -ENOMEM, -EMFILE
 *         -ECHILD   in a forked child before sel_after_fork
 * Owner: the loop stays the program's and must outlive the selector.
 * Thread: the one that runs the loop.
 * Python: no counterpart; asyncio and trio call this guest mode.
 * From: libuv's embedding recipe (uv_backend_fd, uv_backend_timeout).
 * Since 0.1.0.
 */
SEL_API int sel_attach_loop(sel_selector *sel, struct uv_loop_s *loop);

/*
 * The selector's own loop, to add any libuv handle to.
 *
 * Handles on it (uv_tcp_t, uv_spawn's uv_process_t, uv_fs_event_t ...) run
 * inside sel_dispatch, after the pairs; while one of them is active and
 * referenced, sel_run goes on.  Prepare, check and idle handles run once in every
 * pass: what a prepare handle does is done before the next wait, and for one that
 * was just started the next wait does not sleep.  A callback of theirs that forks comes back to
 * libuv, which ends its turn of the loop in the child as well; after that nothing
 * runs there.  The pointer is the same for the selector's
 * life, sel_after_fork included.  Do not run, stop or close the loop.
 * sel_close closes what handles are left on it without freeing their memory:
 * it is the program's, which can free it from then on.  A callback that libuv
 * makes meanwhile, of a request that is cancelled say, finds a selector that
 * refuses every call with -ECANCELED.
 *
 * Returns: the loop, or NULL if it can't be made, in a forked child before
 *   sel_after_fork, or when sel is NULL.
 * Errors: none but NULL, which stands for all.
 * Owner: the selector.  Thread: the selector's.
 * Python: `asyncio.get_event_loop()`.  Since 0.1.0.
 */
SEL_API struct uv_loop_s *sel_loop(sel_selector *sel);

#ifdef __cplusplus
}
#endif

#endif
