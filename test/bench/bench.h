/* SPDX-License-Identifier: MIT */
/*
 * What every benchmark here needs: descriptors that are ready, a clock, and the
 * median of what it measured.  Whatever fails ends the program with a message.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

/*
 * SOCKETPAIR is what programs watch: both ends of unix stream socketpairs, each
 * with one unread byte, so a descriptor in the set costs one descriptor.
 * EVENTFD is the file that the kernel looks at fastest, where whatever is done
 * above the kernel shows most.
 */
typedef enum { SOCKETPAIR, EVENTFD } descriptor_kind;

_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Zeroed memory for `count` of this size. */
void *allocate(size_t count, size_t size);

/* A number of at least `least` that a program was given. */
int parse_count(const char *text, int least);

/* Make room for `count` descriptors beside the program's own. */
void raise_descriptor_limit(int count);

/* `count` descriptors that are readable and stay so, in an array of their own. */
int *open_ready_descriptors(descriptor_kind kind, int count);
void close_descriptors(int *fds, int count);

/* Bytes that the allocator has given and not got back. */
size_t heap_in_use(void);

int64_t cpu_ns(void);  /* what this thread has used of a CPU */
int64_t wall_ns(void); /* CLOCK_MONOTONIC */

void sort_doubles(double *values, int count);

/* The value that `share` (0 to 1) of the sorted values do not exceed. */
double quantile(const double *sorted, int count, double share);

#endif
