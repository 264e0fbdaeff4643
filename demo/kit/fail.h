/* SPDX-License-Identifier: MIT */
/*
 * How the programs here report errors: one plain line on stderr.
 *
 * An error before a program starts its work ends it, with exit status 2 for a wrong
 * command line and 1 for anything else.
 */
#ifndef DEMO_FAIL_H
#define DEMO_FAIL_H

#include <stdbool.h>

enum { EXIT_USAGE = 2 };

/* Print "program: message" on stderr and exit. */
_Noreturn void fail(int status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* With --verbose, print "program: message" on stderr. */
void note(bool verbose, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Flush stdout, and fail if it did not take everything that was printed. */
void flush_stdout(void);

#endif
