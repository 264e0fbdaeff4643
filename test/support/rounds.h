/* SPDX-License-Identifier: MIT */
/*
 * How often this thread has asked the kernel for readiness. On Linux only it is counted.
 */
#ifndef TEST_ROUNDS_H
#define TEST_ROUNDS_H

extern _Thread_local long rounds;

#endif
