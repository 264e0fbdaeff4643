/* SPDX-License-Identifier: MIT */
/*
 * Setting, reading and comparing signal dispositions.
 */
#ifndef TEST_DISPOSITIONS_H
#define TEST_DISPOSITIONS_H

#include "support/journal.h"

#include <signal.h>

enum { DEFAULT, IGNORED, HANDLED, KINDS };

/* Set one of three, and return what the kernel made of it. */
struct sigaction install(int signum, int kind);
struct sigaction disposition_of(int signum);
void assert_same(const struct sigaction *a, const struct sigaction *b);

#endif
