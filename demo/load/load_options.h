/* SPDX-License-Identifier: MIT */
/* What the load client can be told. */
#ifndef DEMO_LOAD_OPTIONS_H
#define DEMO_LOAD_OPTIONS_H

#include <stdbool.h>

typedef struct {
    const char *host, *json;
    int port, connections, messages, size, ramp;
    double timeout;
    bool histogram;
} load_options;

/* Does not return from --help, --version and a wrong command line. */
load_options read_options(int argc, char **argv);

#endif
