/* SPDX-License-Identifier: MIT */
/*
 * What one look costs when one of N descriptors is ready: the classic picture,
 * in which what asks about all of them climbs with N.
 *
 *   bench_one CONTENDER ROUNDS N...
 *
 * The ready one is registered last, where a loop that holds many in parts has it
 * furthest away. Each round looks at every N in turn; a figure for an N is the
 * median, and its ratio to the first N's look in the same round, with the quartiles
 * of that.
 */
#include "bench.h"
#include "contenders.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOOKS = 20, MARGIN = 40 };

typedef struct {
    int watched;
    void *loop;
    double *ns;
    double *ratios;
} sample;

/* Only the first is ready. */
static int *open_descriptors(int count)
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
    static watcher watches[1 << 15];
    void *loop = contender->open(fds[watched - 1] + MARGIN);

    for (int i = watched - 1; i >= 0 && loop != NULL; i--) {
        watches[i].fd = fds[i];
        contender->add(loop, &watches[i], WATCH_READ);
    }
    return loop;
}

static double time_look(const event_loop *contender, void *loop)
{
    int64_t start = cpu_ns();

    for (int i = 0; i < LOOKS; i++)
        if (contender->look(loop) != 1)
            fail("%s did not find one", contender->name);
    return (double)(cpu_ns() - start) / LOOKS;
}

static void print_sample(sample *one, const char *name, int rounds)
{
    sort_doubles(one->ns, rounds);
    sort_doubles(one->ratios, rounds);
    printf("{\"contender\": \"%s\", \"watched\": %d, \"ns\": %.1f, \"ratio\": %.4f, "
           "\"lower_quartile\": %.4f, \"upper_quartile\": %.4f}\n",
           name, one->watched, quantile(one->ns, rounds, 0.5),
           quantile(one->ratios, rounds, 0.5), quantile(one->ratios, rounds, 0.25),
           quantile(one->ratios, rounds, 0.75));
}

int main(int argc, char **argv)
{
    const event_loop *contender = argc >= 4 ? find_contender(argv[1]) : NULL;
    int rounds, count = argc - 3, most = 0;
    sample *samples;
    int *fds;

    if (contender == NULL || contender->look == NULL)
        fail("usage: bench_one CONTENDER ROUNDS N...");
    rounds = parse_count(argv[2], 1);
    samples = allocate((size_t)count, sizeof *samples);
    for (int i = 0; i < count; i++) {
        samples[i].watched = parse_count(argv[3 + i], 1);
        samples[i].ns = allocate((size_t)rounds, sizeof(double));
        samples[i].ratios = allocate((size_t)rounds, sizeof(double));
        most = samples[i].watched > most ? samples[i].watched : most;
    }
    fds = open_descriptors(most);
    for (int i = 0; i < count; i++) {
        samples[i].loop = open_loop(contender, fds, samples[i].watched);
        if (samples[i].loop == NULL)
            return EXIT_SUCCESS; /* beyond what it can hold: no figure */
        time_look(contender, samples[i].loop);
    }
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < count; i++) {
            samples[i].ns[round] = time_look(contender, samples[i].loop);
            samples[i].ratios[round] = samples[i].ns[round] / samples[0].ns[round];
        }
    }
    for (int i = 0; i < count; i++)
        print_sample(&samples[i], contender->name, rounds);
    return EXIT_SUCCESS;
}
