/* SPDX-License-Identifier: MIT */
/*
 * Four selectors in lockstep with a model of their keys.
 *
 * Each function does one thing to all of them and ends the process at the first
 * that does not agree with the model.  The model knows keys and what they were
 * registered for; it knows nothing of readiness.
 */
#ifndef TEST_LOCKSTEP_MODEL_H
#define TEST_LOCKSTEP_MODEL_H

#include "lockstep/world.h"

#include <selkie.h>

#include <stdbool.h>

enum { BACKENDS = 5, EVERY_EVENT = 7 };

/* What the model knows of the key of a place. */
typedef struct {
    bool registered;
    bool stale; /* its number was closed or got another file since */
    bool was_paused;
    bool is_handles; /* it has a reader or a writer, and data of the library's */
    int events;
    void *data;
    identity identity;
} model_key;

/* What a pair of the last batch has to be by now. */
typedef struct {
    bool dead;
    int mask;
    sel_key key;
} model_pair;

typedef struct {
    sel_backend backend;
    sel_selector *sel;
    const sel_ready *ready;
    int count;
    model_pair pairs[WATCHED];
} contestant;

extern contestant contestants[BACKENDS];
extern int contestants_length;
extern model_key keys[WATCHED];

void open_selectors(void);
void close_selectors(void); /* their keys are forgotten */

const char *name_of(const contestant *one);
const char *name_events(int events);
void agree(const contestant *one, const char *call, int result, int wanted);

bool is_registered(int place);

/* The number of this place no longer means what it did. */
void mark_stale(int place);

void register_everywhere(int place, int events, void *data);
void modify_everywhere(int place, int events, void *data);
void unregister_everywhere(int place);

/* A reader or a writer, as the event says. */
void add_everywhere(int place, int event);
void remove_everywhere(int place, int event);

/* Close one selector, open another like it; false: it can't have its keys. */
bool replace_selector(sel_backend backend);

#endif
