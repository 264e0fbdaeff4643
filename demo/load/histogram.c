/* SPDX-License-Identifier: MIT */
/*
 * A log-linear histogram.
 *
 * Below 256 a bucket holds one value.  Larger values are shifted right until 8 bits are
 * left: the shift selects the power of two, those bits the bucket in it.
 */
#include "load/histogram.h"

#include <math.h>

enum { SUB_BITS = 7 };

static const double TICKS_PER_HALF = 5;

static int bucket_of(uint64_t value)
{
    int shift = 0;
    while (value >> shift >= 2 * SUB_BUCKETS)
        shift++;
    return shift * SUB_BUCKETS + (int)(value >> shift);
}

/* The largest value that belongs to the bucket. */
static uint64_t bucket_end(int bucket)
{
    if (bucket < 2 * SUB_BUCKETS)
        return (uint64_t)bucket;
    int shift = bucket / SUB_BUCKETS - 1;
    uint64_t bits = (uint64_t)(bucket % SUB_BUCKETS) + SUB_BUCKETS;
    return ((bits + 1) << shift) - 1;
}

void histogram_add(histogram *values, uint64_t value)
{
    double exact = (double)value;
    values->counts[bucket_of(value)]++;
    if (values->count == 0 || value < values->least)
        values->least = value;
    if (value > values->most)
        values->most = value;
    values->count++;
    values->sum += exact;
    values->sum_of_squares += exact * exact;
}

/* The bucket that holds the value of this rank, counted from 1. */
static int bucket_of_rank(const histogram *values, uint64_t rank, uint64_t *ret_passed)
{
    uint64_t passed = 0;
    int bucket = 0;
    for (; bucket < BUCKETS; bucket++) {
        passed += values->counts[bucket];
        if (passed >= rank)
            break;
    }
    *ret_passed = passed;
    return bucket;
}

static uint64_t rank_of(const histogram *values, double percent)
{
    double rank = ceil(percent * (double)values->count / 100);
    return rank < 1 ? 1 : (uint64_t)rank;
}

static uint64_t value_at(const histogram *values, double percent, uint64_t *ret_passed)
{
    int bucket = bucket_of_rank(values, rank_of(values, percent), ret_passed);
    uint64_t end = bucket_end(bucket);
    return end < values->most ? end : values->most;
}

uint64_t histogram_percentile(const histogram *values, double percent)
{
    uint64_t passed;
    return values->count == 0 ? 0 : value_at(values, percent, &passed);
}

double histogram_mean(const histogram *values)
{
    return values->count == 0 ? 0 : values->sum / (double)values->count;
}

static double deviation(const histogram *values)
{
    if (values->count == 0)
        return 0;
    double mean = histogram_mean(values);
    double squares = values->sum_of_squares / (double)values->count;
    return sqrt(fmax(0, squares - mean * mean));
}

/* The steps get finer towards 100 %: five for every halving of what is left. */
static double next_percentile(double percent)
{
    double halvings = floor(log2(100 / (100 - percent))) + 1;
    return percent + 100 / (TICKS_PER_HALF * pow(2, halvings));
}

static void print_percentiles(const histogram *values, FILE *file, double unit)
{
    uint64_t passed = 0;
    for (double percent = 0; passed < values->count;) {
        double value = (double)value_at(values, percent, &passed) / unit;
        /* A bucket may reach beyond the step that led to it. */
        double reached = 100 * (double)passed / (double)values->count;
        if (passed == values->count)
            break;
        fprintf(file, "%12.3f %2.12f %10llu %14.2f\n", value, percent / 100,
                (unsigned long long)passed, 1 / (1 - percent / 100));
        while (percent <= reached)
            percent = next_percentile(percent);
    }
    if (values->count > 0)
        fprintf(file, "%12.3f %2.12f %10llu\n", (double)values->most / unit, 1.0,
                (unsigned long long)values->count);
}

void histogram_print(const histogram *values, FILE *file, double unit)
{
    fprintf(file, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
            "1/(1-Percentile)");
    print_percentiles(values, file, unit);
    fprintf(file, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n",
            histogram_mean(values) / unit, deviation(values) / unit);
    fprintf(file, "#[Max     = %12.3f, Total count    = %12llu]\n",
            (double)values->most / unit, (unsigned long long)values->count);
    fprintf(file, "#[Buckets = %12d, SubBuckets     = %12d]\n", POWERS, SUB_BUCKETS);
}
