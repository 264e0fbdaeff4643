/* SPDX-License-Identifier: MIT */
/* The three server models, and how they are measured. */
#ifndef DEMO_SERVER_MODELS_H
#define DEMO_SERVER_MODELS_H

#include "kit/listen.h"

enum { CLIENTS_MAX = 1000 };

typedef enum { MODEL_FORK, MODEL_THREAD, MODEL_LOOP, MODELS } server_model;

/* By its name; another name ends the program. */
server_model find_model(const char *name);

/* Serve until SIGINT, SIGTERM, or the end of `life` (-1: none); closes the listener. */
void serve_model(server_model model, int listener, int life);

/* Start each model, talk to it with 1, 10 and 100 clients, print a table. */
void measure_models(const server_options *where);

#endif
