/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Beside the ready ones: standard streams, and what the event loops open. */
enum { SPARE_DESCRIPTORS = 100 };

void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (memory == NULL)
        fail("out of memory");
    return memory;
}

int parse_count(const char *text, int least)
{
    char *end;
    long count = strtol(text, &end, 10);

    if (end == text || *end != '\0' || count < least || count > INT_MAX)
        fail("%s: not a whole number of at least %d", text, least);
    return (int)count;
}

void raise_descriptor_limit(int count)
{
    rlim_t wanted = (rlim_t)count + SPARE_DESCRIPTORS;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        fail("getrlimit: %s", strerror(errno));
    if (limit.rlim_cur >= wanted)
        return;
    if (limit.rlim_max < wanted)
        fail("%d descriptors are more than the hard limit allows", count);
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        fail("setrlimit: %s", strerror(errno));
}

static int open_eventfd(int *fds)
{
    fds[0] = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fds[0] < 0)
        fail("eventfd: %s", strerror(errno));
    return 1;
}

/* An odd count leaves the other end of the last pair open and unwatched. */
static int open_socketpair(int *fds)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        fail("socketpair: %s", strerror(errno));
    if (write(fds[0], "", 1) != 1 || write(fds[1], "", 1) != 1)
        fail("write: %s", strerror(errno));
    return 2;
}

/* The array has room for the end that an odd count does not watch. */
int *open_ready_descriptors(descriptor_kind kind, int count)
{
    int *fds = allocate((size_t)count + 1, sizeof *fds);
    int opened = 0;

    raise_descriptor_limit(count + 1);
    fds[count] = -1;
    while (opened < count) {
        int *next = fds + opened;

        opened += kind == EVENTFD ? open_eventfd(next) : open_socketpair(next);
    }
    return fds;
}

void close_descriptors(int *fds, int count)
{
    for (int i = 0; i < count + 1; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(fds);
}

size_t heap_in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static int64_t read_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

int64_t wall_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

void sort_doubles(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
}

double quantile(const double *sorted, int count, double share)
{
    return sorted[(int)(share * (count - 1) + 0.5)];
}
