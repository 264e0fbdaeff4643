/* SPDX-License-Identifier: MIT */
/*
 * A listener on a selector: it accepts clients and hands them on.  While the kernel has
 * no room for another client, the listener is not watched.
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
    void (*before)(void *data); /* called before accepting anyone; may be NULL */
    void *data;                 /* for both */
    bool verbose;               /* report clients that there is no room for */
    int reserve;                /* acceptor_start() sets these and all below */
    sel_timer pause;
} acceptor;

/*
 * Watch the listener; first set the fields that are the caller's.  Returns 0 or a
 * negative errno.
 */
int acceptor_start(acceptor *self);

/* Stop accepting, and close the listener. */
void acceptor_stop(acceptor *self);

#endif
