/* SPDX-License-Identifier: MIT */
/*
 * Make a sequence that gives a difference as short as can be.
 */
#ifndef TEST_LOCKSTEP_SHRINK_H
#define TEST_LOCKSTEP_SHRINK_H

#include "lockstep/process.h"

/*
 * `replay` runs a sequence in a child.  On return *shrunk still gives the
 * difference, whose present words are in *found.  False: it does not come back
 * when the sequence is run again.  Bounded in time.
 */
typedef outcome replay_function(const sequence *replayed);

bool shrink_sequence(sequence *shrunk, replay_function *replay, outcome *found);

#endif
