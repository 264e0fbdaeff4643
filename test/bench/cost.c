/* SPDX-License-Identifier: MIT */
/*
 * What one look costs with every descriptor ready and left ready: sel_select(sel,
 * 0, ...) against one bare epoll_wait() over the same descriptors, with room for
 * all of them.
 *
 * The machine is never quiet.  So the time of other processes does not count, and
 * a figure is a ratio of neighbours: each round looks with the contender, twice
 * with epoll_wait(), and with the contender again, so that neither gains by its
 * place.  What is printed is the median of the rounds' ratios and its quartiles.
 *
 *   bench_cost READY ROUNDS [eventfd]
 */
#include "bench.h"
#include "contenders.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A sample is this many descriptors found, so that the clock's step is no matter. */
enum { FOUND_PER_SAMPLE = 2000 };

/* Descriptors that a loop opens for itself. */
enum { MARGIN = 40 };

static const event_loop *const measured[] = {
    &selkie_uv_contender,
    &selkie_epoll_contender,
    &selkie_poll_contender,
    &selkie_select_contender,
    &libuv_recording_contender,
};

enum { MEASURED = sizeof measured / sizeof measured[0] };

struct samples {
    double *ratios;
    double *ns; /* of one look */
    double *bare_ns;
    int count;
};

/* The contender's loop with every descriptor in it, or NULL. */
static void *open_loop(const event_loop *contender, const int *fds, int ready)
{
    static long ignored;
    void *loop = contender->open(fds[ready - 1] + MARGIN);

    for (int i = 0; i < ready && loop != NULL; i++)
        contender->count(loop, fds[i], &ignored);
    return loop;
}

/* Nanoseconds of one look, which never sleeps: all its time is CPU time. */
static double time_looks(const event_loop *contender, void *state, int ready)
{
    int looks = ready < FOUND_PER_SAMPLE ? FOUND_PER_SAMPLE / ready : 1;
    int64_t start = cpu_ns();

    for (int i = 0; i < looks; i++) {
        int found = contender->look(state);

        if (found != ready)
            fail("%s found %d of %d", contender->name, found, ready);
    }
    return (double)(cpu_ns() - start) / looks;
}

static void measure(struct samples *samples, int round, const event_loop *contender,
                    void *state, void *bare, int ready)
{
    double own = time_looks(contender, state, ready);
    double other = time_looks(&epoll_contender, bare, ready);

    other += time_looks(&epoll_contender, bare, ready);
    own += time_looks(contender, state, ready);
    samples->ns[round] = own / 2;
    samples->bare_ns[round] = other / 2;
    samples->ratios[round] = own / other;
}

static void print_samples(struct samples *samples, const event_loop *contender, int ready)
{
    int rounds = samples->count;

    sort_doubles(samples->ratios, rounds);
    sort_doubles(samples->ns, rounds);
    sort_doubles(samples->bare_ns, rounds);
    printf("{\"contender\": \"%s\", \"ready\": %d, \"rounds\": %d, \"ratio\": %.4f, "
           "\"lower_quartile\": %.4f, \"upper_quartile\": %.4f, \"ns\": %.1f, "
           "\"epoll_wait_ns\": %.1f}\n",
           contender->name, ready, rounds, quantile(samples->ratios, rounds, 0.5),
           quantile(samples->ratios, rounds, 0.25),
           quantile(samples->ratios, rounds, 0.75), quantile(samples->ns, rounds, 0.5),
           quantile(samples->bare_ns, rounds, 0.5));
    fflush(stdout);
}

/* No other set is open meanwhile: what watches a descriptor takes its cache. */
static void compare(const event_loop *contender, struct samples *samples, const int *fds,
                    int ready)
{
    void *state = open_loop(contender, fds, ready);
    void *bare;

    if (state == NULL)
        return;
    bare = open_loop(&epoll_contender, fds, ready);
    time_looks(contender, state, ready);
    time_looks(&epoll_contender, bare, ready);
    for (int round = 0; round < samples->count; round++)
        measure(samples, round, contender, state, bare, ready);
    print_samples(samples, contender, ready);
    epoll_contender.close(bare);
    contender->close(state);
}

int main(int argc, char **argv)
{
    bool eventfds = argc == 4 && strcmp(argv[3], "eventfd") == 0;
    struct samples samples;
    int ready, *fds;

    if (argc != 3 && !eventfds)
        fail("usage: bench_cost READY ROUNDS [eventfd]");
    ready = parse_count(argv[1], 1);
    samples.count = parse_count(argv[2], 1);
    samples.ratios = allocate((size_t)samples.count, sizeof(double));
    samples.ns = allocate((size_t)samples.count, sizeof(double));
    samples.bare_ns = allocate((size_t)samples.count, sizeof(double));

    fds = open_ready_descriptors(eventfds ? EVENTFD : SOCKETPAIR, ready);
    for (int i = 0; i < MEASURED; i++)
        compare(measured[i], &samples, fds, ready);
    close_descriptors(fds, ready);
    free(samples.ratios);
    free(samples.ns);
    free(samples.bare_ns);
    return EXIT_SUCCESS;
}
