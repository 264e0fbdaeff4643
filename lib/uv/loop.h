/* SPDX-License-Identifier: MIT */
/*
 * Having libuv open descriptors beside keys that may be closed by now, in a process
 * whose standard descriptors may be closed and that may have no more to open: an
 * error, where libuv would end the process.
 */
#ifndef SEL_LOOP_H
#define SEL_LOOP_H

#include <selkie/selectors.h>

#include <stdbool.h>
#include <uv.h>

/* uv_version() from which libuv has rings, and stacks of its own for its threads. */
enum { SEL__LIBUV_1_45 = 0x12d00 };

/*
 * uv_loop_init(); its descriptors are taken for none of the keys of `sel`, if not NULL.
 * `loop` is zeroed.
 */
int sel__init_loop(sel_selector *sel, uv_loop_t *loop);

/* Before uv_loop_close(): its descriptors are the library's no more. */
void sel__disown_loop(const uv_loop_t *loop);

/*
 * Are the descriptors of a loop still its own? A forked child may have closed them: then
 * it must never run.
 */
bool sel__loop_is_own(const uv_loop_t *loop);

/* uv_loop_fork(), after sel__check_all() and sel__loop_is_own(). */
int sel__fork_loop(uv_loop_t *loop);

#endif
