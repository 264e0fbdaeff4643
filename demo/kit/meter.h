/* SPDX-License-Identifier: MIT */
/*
 * The figures of a server that shows what it does: its selector's counts, and what
 * only the server knows.
 *
 * One reactor has one meter.  Only that reactor's thread counts; what it has counted it
 * publishes, and that may be read from any thread.  A NULL meter counts nothing.
 */
#ifndef DEMO_METER_H
#define DEMO_METER_H

#include <selkie.h>

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { LATENCIES = 15 }; /* buckets; an answer counts in the first that it fits */

/* Microseconds that the first ends at; each ends at twice the one before. */
extern const double LATENCY_LEAST;

/* Times are in nanoseconds.  All but the first count up. */
enum figure {
    FIGURE_CONNECTIONS,
    FIGURE_BYTES,
    FIGURE_PASSES,
    FIGURE_PAIRS,
    FIGURE_CALLBACKS,
    FIGURE_LONGEST,
    FIGURE_WAITING,
    FIGURE_CALLING,
    FIGURE_LATENCY, /* and the LATENCIES - 1 after it: how many answers took so long */
    FIGURES = FIGURE_LATENCY + LATENCIES,
};

typedef struct {
    uint64_t figure[FIGURES];
} figures;

typedef struct {
    sel_selector *sel;
    const int *connections;
    uint64_t pass;     /* the one that goes on */
    double pass_began; /* when its first callback was called */
    figures counted;
    _Atomic uint64_t published[FIGURES];
} meter;

/*
 * Measure `sel` from now on.  `connections` is where the server keeps how many it has.
 * Publishes by a timer of the selector's, METER_INTERVAL apart.  Returns 0 or a
 * negative errno.
 */
int meter_start(meter *self, sel_selector *sel, const int *connections);
extern const double METER_INTERVAL; /* seconds */

/* A callback begins. */
void meter_turn(meter *self);

/*
 * A client was sent so much.  The time since the first callback of this pass is what
 * the answer took: its client was ready by then.
 */
void meter_sent(meter *self, size_t size);

/* A sel_task of the selector's own, its data the meter: let others see the figures. */
void meter_publish(sel_selector *sel, void *data);

/* What so many meters have published, together: sums, and the longest callback. */
void meter_read(const meter *meters, int count, figures *ret_figures);

#endif
