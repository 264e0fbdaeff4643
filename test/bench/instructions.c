/* SPDX-License-Identifier: MIT */
/*
 * Rounds of wait and dispatch, to be counted from outside.
 *
 * Run under callgrind with two numbers of rounds: the difference of the two
 * counts, divided by the callbacks that the further rounds made, is what one
 * ready descriptor costs in user space, start and end of the program not in it.
 *
 *   bench_instructions CONTENDER READY ROUNDS TIMEOUT     in seconds, or inf
 */
#include "bench.h"
#include "contenders.h"

#include <stdio.h>
#include <stdlib.h>

/* A loop's arrays grow in its first rounds: libev's takes 64 events at first. */
enum { ROUNDS_TO_GROW = 10 };

/* Descriptors that a loop opens for itself. */
enum { MARGIN = 40 };

/* A round has called all that are ready, in however many waits the loop needs for it. */
static void run_rounds(const event_loop *contender, void *loop, int rounds, int ready,
                       double timeout, const long *called)
{
    for (long end = (long)rounds * ready; *called < end;)
        contender->wait(loop, timeout);
}

int main(int argc, char **argv)
{
    const event_loop *contender = argc == 5 ? find_contender(argv[1]) : NULL;
    int ready, rounds, *fds;
    double timeout;
    long called = 0;
    void *loop;

    if (contender == NULL)
        fail("usage: bench_instructions CONTENDER READY ROUNDS TIMEOUT");
    ready = parse_count(argv[2], 1);
    rounds = parse_count(argv[3], 1);
    timeout = strtod(argv[4], NULL);

    fds = open_ready_descriptors(SOCKETPAIR, ready);
    loop = contender->open(fds[ready - 1] + MARGIN);
    if (loop == NULL || contender->count == NULL)
        fail("%s can't count %d descriptors", contender->name, ready);
    for (int i = 0; i < ready; i++)
        contender->count(loop, fds[i], &called);
    run_rounds(contender, loop, ROUNDS_TO_GROW, ready, timeout, &called);
    called = 0;
    run_rounds(contender, loop, rounds, ready, timeout, &called);
    contender->close(loop);
    close_descriptors(fds, ready);

    if (called != (long)ready * rounds)
        fail("%s made %ld calls in %d rounds of %d", contender->name, called, rounds,
             ready);
    return EXIT_SUCCESS;
}
