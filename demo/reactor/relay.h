/* SPDX-License-Identifier: MIT */
/*
 * Lines from pipes to stdout, each with its time and the name of its pipe, for a
 * program that must not be kept waiting.
 *
 * write() to a pipe that nobody reads does not return, and neither timers nor signals
 * would be served.  So what stdout does not take at once is queued, and while
 * HIGH_WATER bytes are queued the pipes are not read.
 */
#ifndef DEMO_RELAY_H
#define DEMO_RELAY_H

#include "kit/bytearray.h"

#include <selkie.h>

#include <stdbool.h>

enum { RELAY_PIPES = 2 };

typedef struct line_relay line_relay;

typedef struct {
    line_relay *relay;
    const char *name;
    int fd;         /* -1: it has ended */
    bytearray line; /* what has arrived of the next one */
} relay_pipe;

struct line_relay {
    sel_selector *sel;
    sel_task *changed; /* called when a pipe has ended or stdout has failed */
    void *data;
    double start;
    relay_pipe pipes[RELAY_PIPES];
    bytearray queue;
    bool always_ready; /* stdout is a file or the like: it can't be watched */
    bool broken;       /* stdout takes no more, and what arrives is dropped */
};

/* Start to print; times count from here. */
void relay_open(line_relay *relay, sel_selector *sel, sel_task *changed, void *data);
void relay_close(line_relay *relay);

/* Add a pipe; returns its other end, close-on-exec.  A failure ends the program. */
int relay_add_pipe(line_relay *relay, int number, const char *name);

/* Print a line of our own. */
void relay_print(line_relay *relay, const char *name, const char *text, size_t size);

/* Have all pipes ended? */
bool relay_has_ended(const line_relay *relay);

#endif
