/* SPDX-License-Identifier: MIT */
/*
 * Each figure is published whole, but a reader may get some from one publication and
 * some from the next.
 */
#include "kit/meter.h"

#include <string.h>

const double METER_INTERVAL = 0.25;
const double LATENCY_LEAST = 2;
static const double NANOSECONDS = 1e9;
static const double MICROSECONDS = 1e6;

static enum figure bucket_of(double seconds)
{
    double limit = LATENCY_LEAST / MICROSECONDS;
    int bucket = 0;
    for (; seconds > limit && bucket < LATENCIES - 1; bucket++)
        limit *= 2;
    return (enum figure)(FIGURE_LATENCY + bucket);
}

static uint64_t nanoseconds(double seconds)
{
    return (uint64_t)(seconds * NANOSECONDS);
}

void meter_publish(sel_selector *sel, void *data)
{
    meter *self = data;
    uint64_t *figure = self->counted.figure;
    sel_stats stats;
    if (sel_get_stats(sel, &stats, sizeof stats) == 0) {
        figure[FIGURE_PASSES] = stats.passes;
        figure[FIGURE_PAIRS] = stats.pairs;
        figure[FIGURE_CALLBACKS] = stats.callbacks;
        figure[FIGURE_LONGEST] = nanoseconds(stats.longest_callback);
        figure[FIGURE_WAITING] = nanoseconds(stats.time_waiting);
        figure[FIGURE_CALLING] = nanoseconds(stats.time_in_callbacks);
    }
    figure[FIGURE_CONNECTIONS] = (uint64_t)*self->connections;
    for (int i = 0; i < FIGURES; i++)
        atomic_store_explicit(&self->published[i], figure[i], memory_order_relaxed);
}

int meter_start(meter *self, sel_selector *sel, const int *connections)
{
    if (self == NULL)
        return 0;
    self->sel = sel;
    self->connections = connections;
    meter_publish(sel, self);
    return sel_call_every(sel, METER_INTERVAL, meter_publish, self, NULL);
}

void meter_turn(meter *self)
{
    sel_stats stats;
    if (self == NULL || sel_get_stats(self->sel, &stats, sizeof stats) < 0 ||
        stats.passes == self->pass)
        return;
    self->pass = stats.passes;
    self->pass_began = sel_time(self->sel);
}

void meter_sent(meter *self, ssize_t sent)
{
    if (self == NULL || sent <= 0)
        return;
    self->counted.figure[FIGURE_BYTES] += (uint64_t)sent;
    self->counted.figure[bucket_of(sel_time(self->sel) - self->pass_began)]++;
}

void meter_read(const meter *meters, int count, figures *ret_figures)
{
    memset(ret_figures, 0, sizeof *ret_figures);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < FIGURES; j++) {
            uint64_t *sum = &ret_figures->figure[j];
            uint64_t value =
                atomic_load_explicit(&meters[i].published[j], memory_order_relaxed);
            if (j != FIGURE_LONGEST)
                *sum += value;
            else if (value > *sum)
                *sum = value;
        }
}
