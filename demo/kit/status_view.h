/* SPDX-License-Identifier: MIT */
/* One picture of the status view, as text for a terminal.  Makes no system call. */
#ifndef DEMO_STATUS_VIEW_H
#define DEMO_STATUS_VIEW_H

#include "kit/meter.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct {
    const char *title; /* whose status it is */
    double up;         /* how long it has been up, in seconds */
    double interval;   /* seconds from `before` to `now` */
    figures before, now;
    int reactors;
    int columns, rows; /* of the terminal */
    bool colours;
    bool unicode;
} status_view;

/* No line is wider than the terminal, and there are no more than it has rows. */
void status_view_print(const status_view *view, FILE *file);

#endif
