/* SPDX-License-Identifier: MIT */
/*
 * Calls from other threads: THREADS threads post COUNT each, one after the
 * other, while the loop's thread takes them.  Wall nanoseconds for each.
 *
 *   bench_posts CONTENDER THREADS COUNT
 */
#include "bench.h"
#include "contenders.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_THREADS = 64 };

static struct {
    const event_loop *contender;
    void *loop;
    int count;
    long awaited[MOST_THREADS];
} bench;

static void *post_all(void *awaited)
{
    for (int i = 0; i < bench.count; i++)
        bench.contender->post(bench.loop, awaited);
    return NULL;
}

static long sum(int threads)
{
    long all = 0;

    for (int i = 0; i < threads; i++)
        all += bench.awaited[i];
    return all;
}

int main(int argc, char **argv)
{
    pthread_t threads[MOST_THREADS];
    int64_t start;
    int count;

    bench.contender = argc == 4 ? find_contender(argv[1]) : NULL;
    if (bench.contender == NULL || bench.contender->post == NULL)
        fail("usage: bench_posts CONTENDER THREADS COUNT");
    count = parse_count(argv[2], 1);
    if (count > MOST_THREADS)
        fail("no more than %d threads", MOST_THREADS);
    bench.count = parse_count(argv[3], 1);
    if (bench.contender->use_threads != NULL)
        bench.contender->use_threads();
    bench.loop = bench.contender->open(100);
    start = wall_ns();
    for (int i = 0; i < count; i++) {
        bench.awaited[i] = bench.count;
        if (pthread_create(&threads[i], NULL, post_all, &bench.awaited[i]) != 0)
            fail("pthread_create failed");
    }
    while (sum(count) > 0)
        bench.contender->wait(bench.loop, 1e9);
    printf("{\"ns\": %.1f}\n", (double)(wall_ns() - start) / ((double)count * bench.count));
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    bench.contender->close(bench.loop);
    return EXIT_SUCCESS;
}
