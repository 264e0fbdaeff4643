/* SPDX-License-Identifier: MIT */
/*
 * A file for SELKIE_TRACE, whose content trace_check.py judges.
 */
#ifndef TEST_TRACING_H
#define TEST_TRACING_H

#include "support/journal.h"

extern char path[64];

/* A fixture: SELKIE_TRACE names an empty file. */
void name_file(void);
void remove_file(void);

void check_trace_with(char *const *arguments);

#define check_trace(...)                                                        \
    check_trace_with((char *const[]){"python3", TRACE_CHECK, path, __VA_ARGS__, NULL})

/* This file or pipe contains exactly one line. */
void assert_one_line(int fd, const char *file, const char *reason);

#endif
