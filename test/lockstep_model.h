/* SPDX-License-Identifier: MIT */
/*
 * Four selectors in lockstep with a model of their keys.
 *
 * Each function does one thing to all of them and ends the program at the first
 * that does not agree with the model.
 */
#ifndef TEST_LOCKSTEP_MODEL_H
#define TEST_LOCKSTEP_MODEL_H

#include <stdbool.h>

enum { EVERY_EVENT = 7 };

void open_selectors(void);
void close_selectors(void);

bool is_registered(int place);

/* The number of this place no longer means what it did. */
void mark_stale(int place);

void register_everywhere(int place, int events, void *data);
void modify_everywhere(int place, int events, void *data);
void unregister_everywhere(int place);

/* Close one selector, open another like it; false: a stale key forbids it. */
bool replace_selector(int drawn);

/* The pairs of the last batch and the map are what the operation made them. */
void check_everywhere(void);

/* Wait and compare with poll(2). */
void look_everywhere(void);

#endif
