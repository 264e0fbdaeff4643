/* SPDX-License-Identifier: MIT */
/* How the programs that try things report what they found. */
#ifndef DEMO_TELL_H
#define DEMO_TELL_H

#include <stdbool.h>

const char *yes_or_no(bool answer);

/* "EAGAIN" for EAGAIN, "0" for no error: Python's errno.errorcode. */
const char *error_name(int error);

/*
 * Returns `result`, of a system call that must not fail; if it has, prints one plain
 * line and ends the program.
 */
int checked(int result, const char *what);

/* time.monotonic(): seconds. */
double monotonic(void);

#endif
