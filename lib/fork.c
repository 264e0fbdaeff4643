/* SPDX-License-Identifier: MIT */
#include "fork.h"

#include <pthread.h>

unsigned int sel__forks;

static int registered;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void in_child(void)
{
    sel__forks++;
}

static void register_once(void)
{
    registered = -pthread_atfork(NULL, NULL, in_child);
}

int sel__count_forks(void)
{
    pthread_once(&once, register_once);
    return registered;
}
