/* SPDX-License-Identifier: MIT */
/*
 * What the selectors of lockstep.c answer, beside what the model and poll(2)
 * say.  The first that does not agree ends the process.
 */
#ifndef TEST_LOCKSTEP_LOOK_H
#define TEST_LOCKSTEP_LOOK_H

#include <stdbool.h>

/* The pairs of the last batch and the map are what the operation made them. */
void check_everywhere(void);

/* Look and compare with poll(2). */
void look_everywhere(void);

/*
 * The same with a wait that has to come back at once.  Where nothing is ready
 * there is a short wait in vain if one is asked for.
 */
void wait_everywhere(bool in_vain);

/*
 * A mistake on purpose: what `poll` answers for a key that was paused and can
 * be written now is taken for nothing ("mask"), or ends the process ("abort").
 */
bool make_mistake(const char *name);

#endif
