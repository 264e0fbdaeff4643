/* SPDX-License-Identifier: MIT */
/*
 * A log-linear histogram, like HdrHistogram's: every power of two is divided into 128
 * equal buckets, so a value of any size is kept to within 1 %, and a percentile of any
 * number of values takes the same 58 KiB.
 */
#ifndef DEMO_HISTOGRAM_H
#define DEMO_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

enum { SUB_BUCKETS = 128, POWERS = 58, BUCKETS = SUB_BUCKETS * POWERS };

/* An all-zero struct is an empty one. */
typedef struct {
    uint64_t counts[BUCKETS];
    uint64_t count;
    uint64_t least, most; /* exact */
    double sum, sum_of_squares;
} histogram;

void histogram_add(histogram *values, uint64_t value);

/* The value that `percent` % of all values do not exceed; 0 if there are none. */
uint64_t histogram_percentile(const histogram *values, double percent);

double histogram_mean(const histogram *values);

/* HdrHistogram's percentile format; values are printed divided by `unit`. */
void histogram_print(const histogram *values, FILE *file, double unit);

#endif
