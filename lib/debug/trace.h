/* SPDX-License-Identifier: MIT */
/*
 * The trace file: Chrome trace events, one array for the whole process.
 *
 * Events are "complete" ones (ph X), so what is inside another lies inside it in
 * time, and the array is closed whenever the last selector is, so that the file
 * is valid JSON from then on. The file is locked (flock(2)) while it is open: another
 * process with the same path in its environment has no trace.
 */
#ifndef SEL_TRACE_H
#define SEL_TRACE_H

#include <stdbool.h>
#include <stdint.h>

/* Begin, or join, the trace of this process. What it can't, it says on stderr. */
bool sel__trace_open(const char *path);
void sel__trace_close(void);

/* `start` and `duration` in nanoseconds. */
void sel__trace_event(const char *category, const char *name, int fd, int64_t start,
                      int64_t duration);

#endif
