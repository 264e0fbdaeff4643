/* SPDX-License-Identifier: MIT */
/*
 * The figures of a server that shows what it does: its selector's counts, and those
 * that only the server knows.
 *
 * Each reactor has its own meter.  Only that reactor's thread counts; it publishes the
 * figures, and any thread may read those.  A NULL meter counts nothing.
 */
#ifndef DEMO_METER_H
#define DEMO_METER_H

#include <selkie.h>

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { LATENCIES = 15 }; /* buckets; an answer counts in the first one it fits */

/* Where the first bucket ends, in microseconds; each next one ends at twice that. */
extern const double LATENCY_LEAST;

/* Times are in nanoseconds.  All but the first only grow. */
enum figure {
    FIGURE_CONNECTIONS,
    FIGURE_BYTES,
    FIGURE_PASSES,
    FIGURE_PAIRS,
    FIGURE_CALLBACKS,
    FIGURE_LONGEST,
    FIGURE_WAITING,
    FIGURE_CALLING,
    FIGURE_LATENCY, /* with the LATENCIES - 1 after it: answers by the time they took */
    FIGURES = FIGURE_LATENCY + LATENCIES,
};

typedef struct {
    uint64_t figure[FIGURES];
} figures;

typedef struct {
    sel_selector *sel;
    const int *connections;
    uint64_t pass;     /* the current one */
    double pass_began; /* when its first callback was called */
    figures counted;
    _Atomic uint64_t published[FIGURES];
} meter;

/*
 * Measure `sel` from now on.  `connections` points to the server's own count of them.
 * The figures are published by a timer of the selector, every METER_INTERVAL.  Returns
 * 0 or a negative errno.
 */
int meter_start(meter *self, sel_selector *sel, const int *connections);
extern const double METER_INTERVAL; /* seconds */

/* A callback begins. */
void meter_turn(meter *self);

/*
 * A client was sent so much, if it is over 0.  The time since the first callback of this
 * pass is what the answer took: its client was ready by then.
 */
void meter_sent(meter *self, ssize_t sent);

/* A task of the selector, its data the meter: let others see the figures. */
void meter_publish(sel_selector *sel, void *data);

/* What that many meters have published, combined: sums, and the longest callback. */
void meter_read(const meter *meters, int count, figures *ret_figures);

#endif
