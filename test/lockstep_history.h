/* SPDX-License-Identifier: MIT */
/*
 * The randomness of lockstep.c, what it has done since everything was last
 * empty, and the end of the program when a difference is found.
 */
#ifndef TEST_LOCKSTEP_HISTORY_H
#define TEST_LOCKSTEP_HISTORY_H

#include <stdint.h>

enum { LONGEST_HISTORY = 160 };

void begin_history(uint64_t seed);

/* 0 .. count - 1, from the seed on always the same. */
int choose(int count);

/* One operation, one line; more than LONGEST_HISTORY are not kept. */
__attribute__((format(printf, 1, 2))) void note(const char *format, ...);
int history_length(void);
void forget_history(void);

void count_step(void);

/* Print the difference and the history, exit with 1. */
__attribute__((format(printf, 2, 3), noreturn)) void
differ(const char *backend, const char *format, ...);

const char *name_events(int events);

#endif
