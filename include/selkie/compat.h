/* SPDX-License-Identifier: MIT */
/*
 * selkie/compat.h - select.select(), the call that Python's oldest examples use.
 */
#ifndef SELKIE_COMPAT_H
#define SELKIE_COMPAT_H

#include <selkie/version.h>

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Three lists of descriptors in, the ready ones of each out, in the same order.
 *
 * Waits until a descriptor of `rlist` can be read (or has reached its end), one of
 * `wlist` can be written, one of `xlist` has an exceptional condition (an
 * out-of-band byte), or `timeout` has passed.  A descriptor listed twice is
 * reported twice.  A signal does not end the wait: it goes on to its original
 * deadline (PEP 475), and time for which the process is stopped counts as in
 * sel_select().  The wait is never early by CLOCK_MONOTONIC.  It uses less than
 * 12 KiB of the thread's stack.
 *
 * Arguments: nr, nw and nx count the entries of rlist, wlist and xlist.  A list
 *   may be NULL, which is Python's [].  ret_r, ret_w and ret_x have room for as
 *   many entries as their list and may be that same list; ret_nr, ret_nw and
 *   ret_nx receive the counts; any of the six may be NULL if its answer is not
 *   wanted.  `timeout` in seconds: SEL_FOREVER (Python's None) waits without
 *   limit, zero or less returns at once.
 * Returns: how many entries the three answers have together; 0 after a timeout.
 * Errors, with every output untouched:
 *   -EINVAL  a negative descriptor; a NaN timeout
 *   -ERANGE  a descriptor of FD_SETSIZE (1024) or more, which an fd_set can't
 *            hold; FD_SET would write past its end
 *   -EBADF   a closed descriptor
 * Owner: all arrays are the caller's.  Thread: any; no state is kept.
 * Python: `select.select(rlist, wlist, xlist, timeout)`.
 * From: POSIX select(), CPython's select module.  Since 0.1.0.
 */
SEL_API int sel_compat_select(const int *rlist, size_t nr, int *ret_r, size_t *ret_nr,
                              const int *wlist, size_t nw, int *ret_w, size_t *ret_nw,
                              const int *xlist, size_t nx, int *ret_x, size_t *ret_nx,
                              double timeout);

#ifdef __cplusplus
}
#endif

#endif
