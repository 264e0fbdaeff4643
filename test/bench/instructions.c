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

static void wait_often(const event_loop *contender, void *loop, int rounds, double timeout)
{
    for (int round = 0; round < rounds; round++)
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
    wait_often(contender, loop, ROUNDS_TO_GROW, timeout);
    called = 0;
    wait_often(contender, loop, rounds, timeout);
    contender->close(loop);
    close_descriptors(fds, ready);

    if (called != (long)ready * rounds)
        fail("%s made %ld calls in %d rounds of %d", contender->name, called, rounds,
             ready);
    return EXIT_SUCCESS;
}
