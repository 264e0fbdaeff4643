/* SPDX-License-Identifier: MIT */
/*
 * A line is written before its operation is done, so that the history of a
 * process that is killed by its operation ends with it.
 */
#include "lockstep_history.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE = 96, EVENT_SETS = 8 };

static uint64_t random_state, seed;
static long step;
static char lines[LONGEST_HISTORY][LINE];
static int lines_length;

static void print_history(void)
{
    printf("since everything was empty:\n");
    for (int i = 0; i < lines_length; i++)
        printf("  %s\n", lines[i]);
    printf("again with: lockstep %ld %" PRIu64 "\n", step, seed);
    fflush(stdout);
}

void differ(const char *backend, const char *format, ...)
{
    va_list arguments;

    printf("step %ld of seed %" PRIu64 ", %s: ", step, seed, backend);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    print_history();
    exit(1);
}

/* libuv aborts when the kernel refuses what it asks for. */
static void on_fatal_signal(int signum)
{
    printf("step %ld of seed %" PRIu64 ": signal %d\n", step, seed, signum);
    print_history();
    _exit(1);
}

void begin_history(uint64_t given_seed)
{
    random_state = seed = given_seed;
    signal(SIGABRT, on_fatal_signal);
    signal(SIGSEGV, on_fatal_signal);
}

/* splitmix64: any state is a good one. */
static uint64_t next_random(void)
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int choose(int count)
{
    return (int)(next_random() % (uint64_t)count);
}

void note(const char *format, ...)
{
    va_list arguments;

    if (lines_length == LONGEST_HISTORY)
        return;
    va_start(arguments, format);
    vsnprintf(lines[lines_length++], LINE, format, arguments);
    va_end(arguments);
}

int history_length(void)
{
    return lines_length;
}

void forget_history(void)
{
    lines_length = 0;
}

void count_step(void)
{
    step++;
}

const char *name_events(int events)
{
    static const char *const names[EVENT_SETS] = {
        "0",      "READ",        "WRITE",        "READ|WRITE",
        "EXCEPT", "READ|EXCEPT", "WRITE|EXCEPT", "READ|WRITE|EXCEPT",
    };

    return events >= 0 && events < EVENT_SETS ? names[events] : "an unknown bit";
}
