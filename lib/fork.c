/* SPDX-License-Identifier: MIT */
#include "fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

unsigned int sel__forks;

static atomic_bool counting;

static void in_child(void)
{
    sel__forks++;
}

/* Two threads at once may both get there: a fork that counts twice is one still. */
int sel__count_forks(void)
{
    int error = atomic_load(&counting) ? 0 : pthread_atfork(NULL, NULL, in_child);

    atomic_store(&counting, error == 0);
    return -error;
}
