/* SPDX-License-Identifier: MIT */
/*
 * Making a libuv loop beside keys that may be closed by now.
 */
#ifndef SEL_LOOP_H
#define SEL_LOOP_H

#include <selkie/selectors.h>

#include <uv.h>

/* uv_loop_init(); its descriptors are taken for no key's.  `loop` is zeroed. */
int sel__init_loop(sel_selector *sel, uv_loop_t *loop);

#endif
