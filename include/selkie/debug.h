/* SPDX-License-Identifier: MIT */
/*
 * selkie/debug.h - seeing what a selector does.
 *
 * Two environment variables, read by sel_open(), work without any change to a
 * program:
 *
 *   SELKIE_DEBUG=1          asyncio's debug mode: one line on stderr for a
 *                           callback slower than SELKIE_SLOW_MS (100) with its
 *                           descriptor, function and time; for a descriptor that
 *                           turns out to have been closed or replaced while its
 *                           key was registered; for two calls from different
 *                           threads that overlap; for a descriptor that is ready
 *                           in pass after pass while nobody reads it
 *   SELKIE_TRACE=file.json  waits and callbacks as Chrome trace events, which
 *                           Perfetto and chrome://tracing open; if the file can't
 *                           be written, or no longer can, there is one line on
 *                           stderr and no trace from then on; the same if another
 *                           process is writing its trace to the file, as happens
 *                           to a program that a traced one starts: a trace
 *                           belongs to one process
 *
 * A function is named if the dynamic linker knows it, which means that it is not
 * static and the program is linked with -rdynamic; otherwise its offset in the
 * program is given, which addr2line or nm resolve.
 *
 * A setuid program ignores these variables.  Switched off, all of it costs one
 * predictable branch.
 */
#ifndef SELKIE_DEBUG_H
#define SELKIE_DEBUG_H

#include <selkie/selectors.h>

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a selector has done so far; times in seconds.  Grows only at its end. */
typedef struct {
    uint64_t passes;    /* times sel_select() returned */
    uint64_t pairs;     /* pairs that it returned */
    uint64_t callbacks; /* callbacks and tasks called */
    double longest_callback;
    double time_waiting;
    double time_in_callbacks;
} sel_stats;

/*
 * Get what a selector has done so far.
 *
 * The counts start at sel_open(); the three times start at the first call of this
 * function (or at sel_open() in debug mode or with a trace), so that a program
 * that never asks never reads the clock for them.
 *
 * Arguments: `size`: sizeof *ret_stats, so that the struct may grow at its end; if
 *   it is larger than the library's, the members that the library does not know
 *   are set to 0.
 * Errors: -EINVAL  ret_stats is NULL or size is 0
 * Owner: the struct is the caller's.
 * Thread: call only from the selector's thread.
 * Python: no counterpart.  Since 0.1.0.
 */
SEL_API int sel_get_stats(sel_selector *sel, sel_stats *ret_stats, size_t size);

#ifdef __cplusplus
}
#endif

#endif
