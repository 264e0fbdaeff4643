/* SPDX-License-Identifier: MIT */
/*
 * Selectors beside a model of what each has to answer.
 *
 * The selectors watch the places of lockstep/world.h.  Each has a model of its own,
 * for its callbacks change its keys and nobody else's.  Every function here compares
 * what the selector answers with the model, and ends the process when they differ.
 */
#ifndef TEST_FUZZ_OPERATIONS_MODEL_H
#define TEST_FUZZ_OPERATIONS_MODEL_H

#include "lockstep/world.h"

#include <selkie.h>

#include <stdbool.h>

enum { EVERY_EVENT = 7, MOST_HANDLES = 256 };

/* A reader or a writer that was added; never used again. */
typedef struct {
    bool live;   /* not replaced, removed or gone with its key */
    bool called; /* in this dispatch */
    int place, event;
    int batch;   /* the last one when it was added: what that holds is not its own */
    void *data;  /* what its task does */
    struct contestant *one;
} model_handle;

typedef struct {
    bool registered;
    bool stale; /* its number was closed or got another file since */
    identity identity;
    sel_key key;
    bool has_handles; /* and a callback and data of the library's */
    model_handle *reader, *writer;
} model_key;

/* What a pair of the last batch has to be by now. */
typedef struct {
    bool dead;    /* its key was unregistered: mask 0 for good */
    bool called;
    bool changed; /* by a callback of this dispatch: it may have come too late */
    bool has_handles;
    int mask;
    sel_key key;
} model_pair;

typedef struct contestant {
    sel_selector *sel;
    sel_backend backend;
    model_key keys[WATCHED];
    model_handle handles[MOST_HANDLES];
    int handles_length;
    int batches;      /* how many there were */
    const sel_ready *ready; /* the last batch, and what it has to be */
    int count;
    model_pair pairs[WATCHED];
    bool collected;   /* the last batch was not dispatched yet */
    bool dispatching; /* its callbacks run */
    int calls;        /* in this dispatch */
    bool woken;       /* since the last wait */
    int descriptor;   /* what sel_fileno() answered; 0: not asked yet */
    bool quiet;       /* the last call was a look that found nothing */
} contestant;

/* What a callback does, given its key's data. */
typedef void callback_work(contestant *one, void *data);

void open_contestant(contestant *one, sel_backend backend, callback_work *work);
void close_contestant(contestant *one);

/* The number of this place no longer means what it did. */
void mark_stale(contestant *one, int place);

void try_register(contestant *one, int place, int events, bool calls, void *data);
void try_modify(contestant *one, int place, int events, bool calls, void *data);
void try_unregister(contestant *one, int place);

/* A reader or a writer, as the event says. */
void try_add(contestant *one, int place, int event, void *data);
void try_remove(contestant *one, int place, int event);

void try_wakeup(contestant *one);
void try_fileno(contestant *one);

/* With a wait that has to come back at once, where something is ready or it was woken. */
void try_select(contestant *one, bool wait);
void try_dispatch(contestant *one);

/* The map and the pairs of the last batch are what the operations made them. */
void check_contestant(contestant *one);

#endif
