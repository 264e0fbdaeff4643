/* SPDX-License-Identifier: MIT */
/*
 * The selectors of lockstep.c run in a forked child, which may abort, crash or
 * hang; what it did and what it found is kept in memory shared with its parent,
 * which never opens a selector and so can start any number of fresh children.
 */
#ifndef TEST_LOCKSTEP_PROCESS_H
#define TEST_LOCKSTEP_PROCESS_H

#include "lockstep/operation.h"

enum { LONGEST_DIFFERENCE = 200, NAME = 8 };

typedef struct {
    bool differs;
    int status;         /* of the child, as waitpid(2) has it */
    const char *format; /* which comparison it was; NULL: the child crashed or hung */
    char backend[NAME];
    char text[LONGEST_DIFFERENCE];
} outcome;

/* Before everything else. */
void prepare_processes(void);

/*
 * Run it in a child.  A step of more than `seconds` is a hang.  A quiet child
 * says nothing on stderr either.
 */
typedef void child_function(const void *argument);

outcome run_in_child(child_function *run, const void *argument, unsigned int seconds,
                     bool quiet);

/* The same comparison found it, about the same backend, or the same signal. */
bool is_same_outcome(const outcome *one, const outcome *other);

/* In the child: what is done from here on is done from the beginning. */
void begin_sequence(void);
void note_operation(operation done);
void take_back_operation(void);

/* In the parent: what the last child did since its last beginning, and in all. */
const sequence *done_sequence(void);
long done_steps(void);

/* In the child: this is the difference; it ends here. */
__attribute__((format(printf, 2, 3), noreturn)) void
differ(const char *backend, const char *format, ...);

#endif
