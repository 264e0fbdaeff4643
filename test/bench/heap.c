/* SPDX-License-Identifier: MIT */
/*
 * Bytes of the heap for each of N registered descriptors, after the first wait;
 * and whether ROUNDS rounds of registering and unregistering one of two leave any
 * behind.
 *
 *   bench_heap CONTENDER N ROUNDS
 */
#include "bench.h"
#include "contenders.h"

#include <stdio.h>
#include <stdlib.h>

enum { MARGIN = 40 };

static void ignore(watcher *watch, int events)
{
    (void)watch;
    (void)events;
}

/* One stays registered, so that a wait does not sleep. */
static long grow_by_rounds(const event_loop *contender, void *loop, watcher *watches, int rounds)
{
    size_t before = 0;

    for (int round = 0; round < rounds; round++) {
        contender->remove(loop, &watches[1]);
        contender->add(loop, &watches[1], WATCH_READ);
        contender->wait(loop, 1e9);
        if (round == rounds / 10)
            before = heap_in_use();
    }
    return (long)heap_in_use() - (long)before;
}

int main(int argc, char **argv)
{
    const event_loop *contender = argc == 4 ? find_contender(argv[1]) : NULL;
    size_t before, after;
    watcher *watches;
    int count, *fds;
    void *loop;

    if (contender == NULL)
        fail("usage: bench_heap CONTENDER N ROUNDS");
    count = parse_count(argv[2], 2);
    fds = open_ready_descriptors(SOCKETPAIR, count);
    watches = allocate((size_t)count, sizeof *watches);
    for (int i = 0; i < count; i++)
        watches[i] = (watcher){.fd = fds[i], .ready = ignore};
    loop = contender->open(fds[count - 1] + MARGIN);
    if (loop == NULL)
        fail("%s can't hold %d descriptors", contender->name, count);
    before = heap_in_use();
    for (int i = 0; i < count; i++)
        contender->add(loop, &watches[i], WATCH_READ);
    contender->wait(loop, 1e9);
    contender->wait(loop, 1e9);
    after = heap_in_use();
    for (int i = 2; i < count; i++)
        contender->remove(loop, &watches[i]);
    printf("{\"contender\": \"%s\", \"registered\": %d, \"bytes\": %.1f, \"growth\": %ld}\n",
           contender->name, count, (double)(after - before) / count,
           grow_by_rounds(contender, loop, watches, parse_count(argv[3], 1)));
    return EXIT_SUCCESS;
}
