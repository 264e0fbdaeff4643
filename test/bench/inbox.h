/* SPDX-License-Identifier: MIT */
/*
 * What a program writes beside a loop that has only a wake-up for other
 * threads: a list of what they want done, under a mutex.
 */
#ifndef INBOX_H
#define INBOX_H

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
bool inbox_put(inbox *box, long *counter);

/* Add one to the counter of each letter. */
void inbox_empty(inbox *box);

#endif
