/* SPDX-License-Identifier: MIT */
/*
 * selkie/debug.h - seeing what a selector does.
 *
 * Two environment variables, read by sel_open(), need no change to a program:
 *
 *   SELKIE_DEBUG=1          asyncio's debug mode: one line on stderr for a
 *                           callback slower than SELKIE_SLOW_MS (100) with its
 *                           descriptor, function and time; for a descriptor
 *                           found closed or replaced under its key; for two
 *                           calls that overlap in two threads; for a descriptor
 *                           that is ready again and again while nobody reads it
 *   SELKIE_TRACE=file.json  waits and callbacks as Chrome trace events, which
 *                           Perfetto and chrome://tracing open; a file that can't
 *                           be written, or not any more, is one line on stderr and
 *                           no trace from there on; so is one that another process
 *                           writes its trace to, which programs that a traced one
 *                           starts meet: one trace is one process's
 *
 * A function is named if the dynamic linker knows it: not static, in a program
 * linked with -rdynamic; otherwise by its place in the program, which addr2line
 * or nm resolve.
 *
 * A program that runs setuid does not look there.  Off, all of it costs one
 * predictable branch.
 */
#ifndef SELKIE_DEBUG_H
#define SELKIE_DEBUG_H

#include <selkie/selectors.h>

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a selector has done so far; times in seconds.  Grows at its end only. */
typedef struct {
    uint64_t passes;    /* returns of sel_select() */
    uint64_t pairs;     /* pairs those returned */
    uint64_t callbacks; /* callbacks and tasks called */
    double longest_callback;
    double time_waiting;
    double time_in_callbacks;
} sel_stats;

/*
 * What a selector has done so far.
 *
 * The counts are kept from sel_open() on; the three times from the first call
 * of this function (or from sel_open() on in debug mode or with a trace), so
 * that a program which never asks never reads the clock for them.
 *
 * Arguments: `size`: sizeof *ret_stats, so that the struct may grow at its end;
 *   what the library does not know of a larger one is set to 0.
 * Errors: -EINVAL  ret_stats is NULL or size is 0
 * Owner: the caller's struct.  Thread: the selector's.
 * Python: no counterpart.  Since 0.1.0.
 */
SEL_API int sel_get_stats(sel_selector *sel, sel_stats *ret_stats, size_t size);

#ifdef __cplusplus
}
#endif

#endif
