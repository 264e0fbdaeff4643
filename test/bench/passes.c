/* SPDX-License-Identifier: MIT */
/*
 * What a pass costs, a wait and the calls for what it found, when one of N
 * descriptors is ready and when all are: the classic pictures. What is asked about
 * all of them climbs with N.
 *
 *   bench_passes CONTENDER ROUNDS one|all N...
 *
 * The ready one is registered last, where a loop that holds many in parts has it
 * furthest away. Each round makes passes with every N in turn; a figure for an N is
 * the median, and its ratio to the first N's in the same round, with the quartiles
 * of that.
 */
#include "bench.h"
#include "contenders.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MOST_PASSES = 200, /* in a sample */
    MARGIN = 40,       /* descriptors that a loop opens for itself */
};

/* What a sample takes, about: the clock's own time is no matter. */
static const double SAMPLE_NS = 1e6;

typedef struct {
    int watched;
    int ready;
    int passes; /* in a sample */
    void *loop;
    double *ns;
    double *ratios;
} sample;

static long called;

static void count_call(watcher *watch, int events)
{
    (void)watch;
    (void)events;
    called++;
}

/* Only the first is ready. */
static int *open_one_ready(int count)
{
    int *fds = allocate((size_t)count + 1, sizeof *fds);

    raise_descriptor_limit(count + 1);
    for (int i = 0; i < count; i += 2)
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds + i) < 0)
            fail("socketpair: %s", strerror(errno));
    if (write(fds[1], "", 1) != 1)
        fail("write: %s", strerror(errno));
    return fds;
}

static void *open_loop(const event_loop *contender, const int *fds, int watched)
{
    watcher *watches = allocate((size_t)watched, sizeof *watches);
    void *loop = contender->open(fds[watched - 1] + MARGIN);

    for (int i = watched - 1; i >= 0 && loop != NULL; i--) {
        watches[i] = (watcher){.fd = fds[i], .ready = count_call};
        contender->add(loop, &watches[i], WATCH_READ);
    }
    return loop;
}

/* A pass has called all that are ready, in however many waits the loop needs for it. */
static double time_pass(const event_loop *contender, const sample *one)
{
    int64_t start = cpu_ns();

    for (int i = 0; i < one->passes; i++)
        for (called = 0; called < one->ready;)
            contender->wait(one->loop, INFINITY);
    return (double)(cpu_ns() - start) / one->passes;
}

static void choose_passes(const event_loop *contender, sample *one)
{
    double passes;

    one->passes = 1;
    time_pass(contender, one); /* the first may have more to do */
    passes = SAMPLE_NS / time_pass(contender, one);
    one->passes = passes > (double)MOST_PASSES ? MOST_PASSES : (int)passes + 1;
}

static void print_sample(sample *one, const char *name, int rounds)
{
    sort_doubles(one->ns, rounds);
    sort_doubles(one->ratios, rounds);
    printf("{\"contender\": \"%s\", \"watched\": %d, \"ready\": %d, \"ns\": %.1f, "
           "\"ratio\": %.4f, \"lower_quartile\": %.4f, \"upper_quartile\": %.4f}\n",
           name, one->watched, one->ready, quantile(one->ns, rounds, 0.5),
           quantile(one->ratios, rounds, 0.5), quantile(one->ratios, rounds, 0.25),
           quantile(one->ratios, rounds, 0.75));
}

int main(int argc, char **argv)
{
    const event_loop *contender = argc >= 5 ? find_contender(argv[1]) : NULL;
    int rounds, count = argc - 4, most = 0;
    bool all_ready;
    sample *samples;
    int *fds;

    if (contender == NULL || (strcmp(argv[3], "one") != 0 && strcmp(argv[3], "all") != 0))
        fail("usage: bench_passes CONTENDER ROUNDS one|all N...");
    rounds = parse_count(argv[2], 1);
    all_ready = strcmp(argv[3], "all") == 0;
    samples = allocate((size_t)count, sizeof *samples);
    for (int i = 0; i < count; i++) {
        samples[i].watched = parse_count(argv[4 + i], 1);
        samples[i].ready = all_ready ? samples[i].watched : 1;
        samples[i].ns = allocate((size_t)rounds, sizeof(double));
        samples[i].ratios = allocate((size_t)rounds, sizeof(double));
        most = samples[i].watched > most ? samples[i].watched : most;
    }
    fds = all_ready ? open_ready_descriptors(SOCKETPAIR, most) : open_one_ready(most);
    for (int i = 0; i < count; i++) {
        samples[i].loop = open_loop(contender, fds, samples[i].watched);
        if (samples[i].loop == NULL)
            return EXIT_SUCCESS; /* beyond what it can hold: no figure */
        choose_passes(contender, &samples[i]);
    }
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < count; i++) {
            samples[i].ns[round] = time_pass(contender, &samples[i]);
            samples[i].ratios[round] = samples[i].ns[round] / samples[0].ns[round];
        }
    }
    for (int i = 0; i < count; i++)
        print_sample(&samples[i], contender->name, rounds);
    return EXIT_SUCCESS;
}
