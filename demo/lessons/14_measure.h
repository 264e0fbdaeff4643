/* SPDX-License-Identifier: MIT */
/* How many messages a second each server model echoes, whatever serves the clients. */
#ifndef DEMO_MEASURE_H
#define DEMO_MEASURE_H

#include "kit/listen.h"

typedef enum { MODEL_FORK, MODEL_THREAD, MODEL_LOOP, MODELS } server_model;

/* Serve until the end of `life`. */
typedef void model_function(server_model model, int listener, int life);

/*
 * Start each model in a process of its own, talk to it with 1, 10 and 100 clients, and
 * print a table.
 */
void measure_models(const server_options *where, const char *const names[MODELS],
                    model_function *serve);

#endif
