/* SPDX-License-Identifier: MIT */
/*
 * Calling a function in a process that has our memory and not our signal
 * dispositions: what it does to them is gone when it returns.
 */
#ifndef SEL_APART_H
#define SEL_APART_H

/*
 * All signals are blocked, and one thread at a time is here. Where there can be no
 * such process, or its memory is not ours (as under valgrind), it has no effect.
 */
void sel__call_apart(int (*call)(void *data), void *data);

#endif
