/* SPDX-License-Identifier: MIT */
/*
 * The histogram of latencies (demo/load/histogram.c) beside the sorted values themselves: a
 * percentile is never below the exact one and less than 1 % above it.
 *
 * Each value is a byte that says how many bits it has, and eight bytes.
 */
#include "load/histogram.h"

#include "fuzz.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_VALUES = 128, BITS = 64 };

static FILE *nowhere;
static histogram values;
static uint64_t sorted[MOST_VALUES];

static uint64_t take_value(fuzz_input *input)
{
    int bits = take_byte(input) % (BITS + 1);
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | (uint64_t)take_byte(input);
    return bits == 0 ? 0 : value >> (BITS - bits);
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static void check_percentile(double percent, int count)
{
    double rank = ceil(percent * count / 100);
    uint64_t exact = sorted[rank < 1 ? 0 : (int)rank - 1];
    uint64_t found = histogram_percentile(&values, percent);

    if (found < exact || (double)(found - exact) > 0.01 * (double)exact)
        broken("%g %% is %llu, not %llu", percent, (unsigned long long)found,
               (unsigned long long)exact);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    nowhere = fopen("/dev/null", "w");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_input input = {bytes, bytes + size};
    double percent = take_byte(&input) / 255.0 * 100;
    int count = 0;

    values = (histogram){.count = 0};
    for (; count < MOST_VALUES && bytes_left(&input) > 0; count++) {
        sorted[count] = take_value(&input);
        histogram_add(&values, sorted[count]);
    }
    qsort(sorted, (size_t)count, sizeof *sorted, compare);
    if (count > 0) {
        check_percentile(percent, count);
        check_percentile(0, count);
        check_percentile(100, count);
    }
    histogram_print(&values, nowhere, 1e3);
    return 0;
}
