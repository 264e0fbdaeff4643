/* SPDX-License-Identifier: MIT */
/*
 * A log-linear histogram, as HdrHistogram has it: every power of two is cut into
 * 128 equal buckets, so that a value is kept to better than 1 % whatever its size
 * and a percentile of any number of values costs the same 58 KiB.
 */
#ifndef DEMO_HISTOGRAM_H
#define DEMO_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

enum { SUB_BUCKETS = 128, POWERS = 58, BUCKETS = SUB_BUCKETS * POWERS };

/* All zero is an empty one. */
typedef struct {
    uint64_t counts[BUCKETS];
    uint64_t count;
    uint64_t least, most; /* exact */
    double sum, sum_of_squares;
} histogram;

void histogram_add(histogram *values, uint64_t value);

/* The value that `percent` % of all are no larger than; 0 when there is none. */
uint64_t histogram_percentile(const histogram *values, double percent);

double histogram_mean(const histogram *values);

/* HdrHistogram's percentile text; a value is printed divided by `unit`. */
void histogram_print(const histogram *values, FILE *file, double unit);

#endif
