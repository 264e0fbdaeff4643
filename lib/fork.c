/* SPDX-License-Identifier: MIT */
#include "fork.h"

#include "own.h"

#include <pthread.h>
#include <stdbool.h>

unsigned int sel__forks;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool counting;

static void in_child(void)
{
    sel__forks++;
    sel__unlock_own();
}

int sel__count_forks(void)
{
    int error = 0;

    pthread_mutex_lock(&lock);
    if (!counting)
        error = pthread_atfork(sel__lock_own, sel__unlock_own, in_child);
    counting = error == 0;
    pthread_mutex_unlock(&lock);
    return -error;
}
