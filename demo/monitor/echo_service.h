/* SPDX-License-Identifier: MIT */
/*
 * An echo service, as part of a program that has other things on the same selector.
 *
 * A client is read from only once all that it sent has been sent back, so it costs
 * READ_SIZE bytes, whatever it does.
 */
#ifndef DEMO_ECHO_SERVICE_H
#define DEMO_ECHO_SERVICE_H

#include "kit/acceptor.h"
#include "kit/meter.h"

#include <selkie.h>

#include <stdbool.h>

typedef struct echo_client echo_client;

typedef struct {
    sel_selector *sel;
    int listener;
    meter *meter;
    bool verbose;
    acceptor acceptor; /* echo_start() sets these and all below */
    int clients;
    echo_client *first;
} echo_service;

/*
 * Serve `listener`; first set the fields that are the caller's.  Returns 0 or a
 * negative errno.
 */
int echo_start(echo_service *service);

/* Hang up on everyone, and close `listener`. */
void echo_stop(echo_service *service);

#endif
