/* SPDX-License-Identifier: MIT */
/*
 * What one wait costs, by the number of descriptors watched, while one is ready.
 *
 * select and poll hand all descriptors to the kernel and look through all of them
 * every time; epoll registers them once and returns only ready ones.  The median of
 * many waits is shown, because a machine that does other things too makes some of
 * them long. docs/twins/how_many.py is the same program in Python.
 */
#include "kit/check.h"
#include "kit/command_line.h"
#include "kit/fail.h"
#include "kit/resource_limits.h"

#include <selkie.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { COUNTS_MAX = 8, BACKENDS = 4, BAR = 40 };
static const sel_backend backends[BACKENDS] = {SEL_BACKEND_UV, SEL_BACKEND_EPOLL,
                                               SEL_BACKEND_POLL, SEL_BACKEND_SELECT};
static const char *const names[BACKENDS] = {"uv", "epoll", "poll", "select"};
static const double MICROSECONDS = 1e6;

typedef struct {
    int counts[COUNTS_MAX];
    double costs[COUNTS_MAX][BACKENDS]; /* microseconds; 0: it can't */
    int rows;
} cost_table;

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median_wait(sel_selector *sel, double *times, int waits)
{
    for (int i = 0; i < waits; i++) {
        double start = sel_time(sel);
        if (sel_select(sel, SEL_FOREVER, NULL) != 1)
            fail(EXIT_FAILURE, "not the one descriptor that is ready");
        times[i] = sel_time(sel) - start;
    }
    qsort(times, (size_t)waits, sizeof *times, compare);
    return times[waits / 2] * MICROSECONDS;
}

/* Watches those from `from` on as well. 0: this selector can't watch so many. */
static double measure(sel_selector *sel, const int *fds, int from, int count,
                      double *times, int waits)
{
    int error = sel == NULL ? -ERANGE : 0;
    for (int i = from; i < count && error == 0; i++)
        error = sel_register(sel, fds[i], SEL_EVENT_READ, NULL, NULL);
    if (error == -ERANGE)
        return 0;
    check(error, "register");
    return median_wait(sel, times, waits);
}

static void fill_table(cost_table *table, sel_selector **sels, const int *fds, int waits)
{
    double *times = calloc((size_t)waits, sizeof *times);
    if (times == NULL)
        fail(EXIT_FAILURE, "no memory for %d waits", waits);
    for (int row = 0; row < table->rows; row++)
        for (int i = 0; i < BACKENDS; i++) {
            int from = row > 0 ? table->counts[row - 1] : 0;
            table->costs[row][i] =
                measure(sels[i], fds, from, table->counts[row], times, waits);
        }
    free(times);
}

static void print_table(const cost_table *table)
{
    puts("one wait, in microseconds");
    printf("descriptors");
    for (int i = 0; i < BACKENDS; i++)
        printf(" %10s", names[i]);
    for (int row = 0; row < table->rows; row++) {
        printf("\n%11d", table->counts[row]);
        for (int i = 0; i < BACKENDS; i++)
            if (table->costs[row][i] > 0)
                printf(" %10.2f", table->costs[row][i]);
            else
                printf(" %10s", "-");
    }
    puts("");
}

/* On a logarithmic scale: every factor of ten is equally long. */
static void print_bars(const cost_table *table)
{
    static const char bar[BAR + 1] = "########################################";
    puts("the same as bars, ten of # for every factor of ten");
    for (int i = 0; i < BACKENDS; i++)
        for (int row = 0; row < table->rows; row++) {
            double cost = table->costs[row][i];
            if (cost <= 0)
                continue;
            int length = (int)lround(10 * log10(cost * 10)); /* from 0.1 us on */
            length = length < 1 ? 1 : length > BAR ? BAR : length;
            printf("%6s %7d %.*s\n", names[i], table->counts[row], length, bar);
        }
}

int main(int argc, char **argv)
{
    static cost_table table;
    int most = 10000, waits = 200;
    const command_option options[] = {
        {"most", 'm', "N", "how many descriptors at most (10000)", .number = &most,
         .lowest = 10, .highest = 1000000},
        {"waits", 'w', "N", "how many waits to measure (200)", .number = &waits,
         .lowest = 1, .highest = 1000000},
        {0}};
    read_command_line(argc, argv, "What one wait costs, by the number of descriptors.",
                      options);
    need_descriptors(most);
    for (int count = 10; count < most; count *= 10)
        table.counts[table.rows++] = count;
    table.counts[table.rows++] = most;
    /* Opened first: select's has a descriptor of its own, which must be small too. */
    sel_selector *sels[BACKENDS] = {NULL};
    for (int i = 0; i < BACKENDS; i++)
        if (sel_backend_available(backends[i]))
            check(sel_open(backends[i], &sels[i]), "open a selector");
    int *fds = calloc((size_t)most, sizeof *fds);
    if (fds == NULL)
        fail(EXIT_FAILURE, "no memory for %d descriptors", most);
    for (int i = 0; i < most; i++) {
        fds[i] = eventfd(i == 0, EFD_CLOEXEC | EFD_NONBLOCK); /* the first is ready */
        check(fds[i] < 0 ? -errno : 0, "make a descriptor");
    }
    fill_table(&table, sels, fds, waits);
    print_table(&table);
    print_bars(&table);
    for (int i = 0; i < BACKENDS; i++)
        sel_close(sels[i]);
    for (int i = 0; i < most; i++)
        close(fds[i]);
    free(fds);
    flush_stdout();
    return EXIT_SUCCESS;
}
