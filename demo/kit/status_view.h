/* SPDX-License-Identifier: MIT */
/* One picture of the status view, as text for a terminal.  Makes no system call. */
#ifndef DEMO_STATUS_VIEW_H
#define DEMO_STATUS_VIEW_H

#include "kit/meter.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct {
    const char *title; /* who it is about */
    double up;         /* for how long, in seconds */
    double interval;   /* seconds from `before` to `now` */
    figures before, now;
    int reactors;
    int columns, rows; /* of the terminal */
    bool colours;
    bool unicode;
} status_view;

/* No line is longer than the terminal is wide, and there are no more than it is high. */
void status_view_print(const status_view *view, FILE *file);

#endif
