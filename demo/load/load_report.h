/* SPDX-License-Identifier: MIT */
/*
 * What the load client found out, and how it reports it.
 *
 * A message has come back, is wrong, or is neither: then it is lost.
 */
#ifndef DEMO_LOAD_REPORT_H
#define DEMO_LOAD_REPORT_H

#include "load/histogram.h"

#include <stdbool.h>

typedef struct {
    int connections; /* asked for */
    int connected;
    int open, at_once; /* now, and the most at once */
    long long messages; /* asked for, over all connections */
    long long came_back, wrong;
    long long bytes; /* received */
    double seconds;
    histogram latency; /* nanoseconds from the first byte sent to the last received */
} load_result;

/* Were all connections made and messages sent, and did every byte come back? */
bool is_complete(const load_result *result);

/* One line on a terminal, overwriting the last; elsewhere nothing. */
void print_progress(const load_result *result);
void clear_progress(void);

/* For people, on stdout, or on stderr if stdout has the JSON. */
void print_result(const load_result *result, bool percentiles, bool to_stderr);

/* For programs: a file, or stdout for "-". */
void write_json(const load_result *result, const char *path);

#endif
