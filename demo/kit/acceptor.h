/* SPDX-License-Identifier: MIT */
/*
 * A listener on a selector: who comes is accepted and handed on; while the kernel has
 * no room for another client the listener is not watched.
 */
#ifndef DEMO_ACCEPTOR_H
#define DEMO_ACCEPTOR_H

#include "kit/listen.h"

#include <selkie.h>

#include <stdbool.h>

typedef struct {
    sel_selector *sel;
    int listener;
    client_adder *add_client;
    void (*before)(void *data); /* called before anyone is accepted; may be NULL */
    void *data;                 /* for both */
    bool verbose;               /* tell whom there is no room for */
    int reserve;                /* from here on acceptor_start() sets them */
    sel_timer pause;
} acceptor;

/* Watch the listener; what is set by the caller comes first.  Returns 0 or a negative
 * errno. */
int acceptor_start(acceptor *self);

/* Accept no more.  The listener is closed, too. */
void acceptor_stop(acceptor *self);

#endif
