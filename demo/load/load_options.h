/* SPDX-License-Identifier: MIT */
/* The load client's options. */
#ifndef DEMO_LOAD_OPTIONS_H
#define DEMO_LOAD_OPTIONS_H

#include <stdbool.h>

typedef struct {
    const char *host, *json;
    int port, connections, messages, size, ramp;
    double timeout;
    bool histogram;
} load_options;

/* Does not return after --help, --version or a wrong command line. */
load_options read_options(int argc, char **argv);

#endif
