/* SPDX-License-Identifier: MIT */
/*
 * The trace file: Chrome trace events, one array for the whole process.
 *
 * All events are "complete" ones (ph X), so nesting shows by their times. The array is
 * closed whenever the last selector is; from then on the file is valid JSON. The file
 * is locked (flock(2)) while it is open: another process that was given the same path
 * has no trace.
 */
#ifndef SEL_TRACE_H
#define SEL_TRACE_H

#include <stdbool.h>
#include <stdint.h>

/* Begin or join this process's trace. Returns false after saying on stderr why it can't. */
bool sel__trace_open(const char *path);
void sel__trace_close(void);

/* `start` and `duration` are in nanoseconds. */
void sel__trace_event(const char *category, const char *name, int fd, int64_t start,
                      int64_t duration);

#endif
