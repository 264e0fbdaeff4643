/* SPDX-License-Identifier: MIT */
/*
 * Calling a function in a process that shares our memory but not our signal
 * dispositions: what it does to them is gone when it returns.
 */
#ifndef SEL_APART_H
#define SEL_APART_H

/*
 * The caller has blocked all signals, and only one thread at a time may call this. Does
 * nothing useful if no such process can be made or its memory is not ours (as under
 * valgrind).
 */
void sel__call_apart(int (*call)(void *data), void *data);

#endif
