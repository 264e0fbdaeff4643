/* SPDX-License-Identifier: MIT */
/* A selector with enough to do, for a loop of another kind to run. */
#ifndef GUEST_H
#define GUEST_H

#include "stranger.h"

enum { PAIRS = 30, WORDS = 3 };

/* A guest: it passes bytes on from pair to pair, and ends when all have come. */
struct guest {
    sel_selector *sel;
    int ends[PAIRS][2];
    int sent, received, tasks, timers, jobs;
    double due;
};

void guest_arrive(struct guest *guest, sel_backend backend);

/* Everything that was asked of it has been done. */
bool guest_is_content(const struct guest *guest);

/* Select and dispatch until a look finds nothing: then the descriptor tells. */
void guest_serve(struct guest *guest);

/* What another loop may sleep, in milliseconds for poll(2): 20 s for ever. */
int guest_timeout(double timeout);

void guest_leave(struct guest *guest);

#endif
