/* SPDX-License-Identifier: MIT */
/*
 * What it costs to register, change and unregister a descriptor, the next wait
 * included, because that is where some loops tell the kernel.
 *
 *   bench_changes CONTENDER N ROUNDS [add | change | undo | remove]
 *
 * Prints nanoseconds of CPU a descriptor for each kind of change, medians.  With
 * a kind it does nothing after that one, so that the system calls of each can be
 * counted from outside.  `undo` changes the interest and back before the wait.
 */
#include "bench.h"
#include "contenders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MARGIN = 40, KINDS = 4 };

static const char *const names[KINDS] = {"add", "change", "undo", "remove"};

static struct {
    const event_loop *contender;
    void *loop;
    watcher *watches;
    int count;
} bench;

static void ignore(watcher *watch, int events)
{
    (void)watch;
    (void)events;
}

static void do_add(watcher *watch)
{
    bench.contender->add(bench.loop, watch, WATCH_READ);
}

static void do_change(watcher *watch)
{
    bench.contender->change(bench.loop, watch, WATCH_READ | WATCH_WRITE);
}

static void do_undo(watcher *watch)
{
    bench.contender->change(bench.loop, watch, WATCH_READ);
    bench.contender->change(bench.loop, watch, WATCH_READ | WATCH_WRITE);
}

static void do_remove(watcher *watch)
{
    bench.contender->remove(bench.loop, watch);
}

static void (*const kinds[KINDS])(watcher *watch) = {do_add, do_change, do_undo, do_remove};

/* One descriptor, the last, is never changed and always ready: no wait sleeps. */
static double time_kind(int kind)
{
    int64_t start = cpu_ns();

    for (int i = 0; i < bench.count; i++)
        kinds[kind](&bench.watches[i]);
    bench.contender->wait(bench.loop, 1e9);
    return (double)(cpu_ns() - start) / bench.count;
}

static void print_medians(double *ns[KINDS], int last, int rounds)
{
    printf("{\"contender\": \"%s\"", bench.contender->name);
    for (int kind = 0; kind <= last; kind++) {
        sort_doubles(ns[kind], rounds);
        printf(", \"%s\": %.1f", names[kind], quantile(ns[kind], rounds, 0.5));
    }
    puts("}");
}

static int find_kind(const char *name)
{
    for (int kind = 0; kind < KINDS; kind++)
        if (strcmp(name, names[kind]) == 0)
            return kind;
    fail("%s: not a kind of change", name);
}

int main(int argc, char **argv)
{
    double *ns[KINDS];
    int rounds, last, *fds;

    bench.contender = argc == 4 || argc == 5 ? find_contender(argv[1]) : NULL;
    if (bench.contender == NULL)
        fail("usage: bench_changes CONTENDER N ROUNDS [add | change | undo | remove]");
    bench.count = parse_count(argv[2], 1);
    rounds = parse_count(argv[3], 1);
    last = argc == 5 ? find_kind(argv[4]) : KINDS - 1;
    if (last < KINDS - 1 && rounds > 1)
        fail("one round is all that can be done without unregistering");
    fds = open_ready_descriptors(SOCKETPAIR, bench.count + 1);
    bench.watches = allocate((size_t)bench.count + 1, sizeof *bench.watches);
    bench.loop = bench.contender->open(fds[bench.count] + MARGIN);
    if (bench.loop == NULL)
        return EXIT_SUCCESS; /* beyond what it can hold: no figure */
    for (int i = 0; i < bench.count + 1; i++)
        bench.watches[i] = (watcher){.fd = fds[i], .ready = ignore};
    do_add(&bench.watches[bench.count]);
    for (int kind = 0; kind < KINDS; kind++)
        ns[kind] = allocate((size_t)rounds, sizeof(double));
    for (int round = 0; round < rounds; round++)
        for (int kind = 0; kind <= last; kind++)
            ns[kind][round] = time_kind(kind);
    print_medians(ns, last, rounds);
    return EXIT_SUCCESS;
}
