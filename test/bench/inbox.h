/* SPDX-License-Identifier: MIT */
/*
 * What a program writes beside a loop that has only a wake-up for other
 * threads: a list of what they want done, under a mutex.
 */
#ifndef INBOX_H
#define INBOX_H

#include "contenders.h"

#include <pthread.h>
#include <stdbool.h>

struct letter;

typedef struct {
    pthread_mutex_t mutex;
    struct letter *first;
    struct letter **end;
} inbox;

void inbox_open(inbox *box);

/* Returns whether it was empty: then somebody has to be woken. */
bool inbox_put(inbox *box, long *awaited);

/* Make the call that each letter is; returns whether the last awaited was among them. */
bool inbox_empty(inbox *box);

#endif
