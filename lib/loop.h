/* SPDX-License-Identifier: MIT */
/*
 * Making a libuv loop beside keys that may be closed by now, in a process whose
 * standard descriptors may be closed.
 */
#ifndef SEL_LOOP_H
#define SEL_LOOP_H

#include <selkie/selectors.h>

#include <uv.h>

/*
 * libuv aborts when it closes a descriptor of its own that is 0, 1 or 2. So the
 * standard numbers that are free are held, each by a descriptor in `held` (else
 * -1), while libuv opens some; first sel__check_all(), for a key may have one.
 */
void sel__hold_standard(int held[3]);
void sel__release_standard(const int held[3]);

/* uv_loop_init(); its descriptors are taken for no key's.  `loop` is zeroed. */
int sel__init_loop(sel_selector *sel, uv_loop_t *loop);

/* uv_loop_fork(). */
int sel__fork_loop(uv_loop_t *loop);

#endif
