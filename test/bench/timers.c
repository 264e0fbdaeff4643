/* SPDX-License-Identifier: MIT */
/*
 * Timers that are armed and cancelled before they are due, as timeouts of
 * connections are: CPU nanoseconds for each.
 *
 *   bench_timers CONTENDER COUNT
 */
#include "bench.h"
#include "contenders.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    const event_loop *contender = argc == 3 ? find_contender(argv[1]) : NULL;
    int64_t start;
    void *loop;
    int count;

    if (contender == NULL || contender->arm_and_cancel == NULL)
        fail("usage: bench_timers CONTENDER COUNT");
    count = parse_count(argv[2], 1);
    loop = contender->open(100);
    contender->arm_and_cancel(loop, count / 10 + 1);
    start = cpu_ns();
    contender->arm_and_cancel(loop, count);
    printf("{\"ns\": %.1f}\n", (double)(cpu_ns() - start) / count);
    contender->close(loop);
    return EXIT_SUCCESS;
}
