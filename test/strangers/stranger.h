/* SPDX-License-Identifier: MIT */
/*
 * What the strangers share: the seed, the checks, the descriptors, the children.
 *
 * A stranger is a program that was written from the public headers alone, without
 * a look at lib/ or at the suites.  Each says at its top what the headers promise,
 * does what a program may do, at random, and holds the library to it.
 */
#ifndef STRANGER_H
#define STRANGER_H

#include <selkie.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The condition holds, or the program says where it did not and ends. */
#define CHECK(condition)                                                       \
    ((condition) ? (void)0 : stranger_fail(__FILE__, __LINE__, #condition))

/* The value is the one wanted; else both are told. */
#define CHECK_IS(value, wanted)                                                \
    stranger_same(__FILE__, __LINE__, #value, (long)(value), (long)(wanted))

_Noreturn void stranger_fail(const char *file, int line, const char *what);
void stranger_same(const char *file, int line, const char *what, long is, long wanted);

/* Have libuv open what it keeps for good, so that descriptors can be counted. */
void stranger_warm_up(void);

/*
 * Run `round` TEST_ROUNDS times (or `rounds`) on every backend that the build has,
 * each with a seed of its own that TEST_SEED repeats, and see that it leaves no
 * descriptor open.  An argument names the one backend to run on.
 */
int stranger_main(int argc, char **argv, int rounds, void (*round)(sel_backend backend));

/* A number below `below`, from the round's seed or a thread's own. */
unsigned pick(unsigned below);
unsigned pick_from(uint64_t *state, unsigned below);

sel_backend pick_backend(void);
bool has_fileno(sel_backend backend);

int count_descriptors(void);

/* Two connected sockets that don't block; false where the table is full. */
bool make_pair(int ends[2]);

/* What poll(2) says at once of a descriptor watched for `events`, as a mask. */
int look(int fd, int events);

/* fork() of a child that a clock ends, should nothing else. */
pid_t fork_bounded(void);

/* What the child, which ended by itself, ended with. */
int wait_for(pid_t child);

#endif
