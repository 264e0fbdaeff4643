/* SPDX-License-Identifier: MIT */
/*
 * Included in front of every file of a coverage build: a forked child that ends
 * by _exit(2) tells what it ran, as one that ends by exit(3) does by itself.
 */
#ifndef TEST_COVERAGE_EXIT_H
#define TEST_COVERAGE_EXIT_H

#include <unistd.h>

void __gcov_dump(void);

#define _exit(status) (__gcov_dump(), _exit(status))

#endif
