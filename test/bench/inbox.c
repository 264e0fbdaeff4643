/* SPDX-License-Identifier: MIT */
#include "inbox.h"

#include "bench.h"

#include <stdlib.h>

struct letter {
    struct letter *next;
    long *awaited;
};

void inbox_open(inbox *box)
{
    pthread_mutex_init(&box->mutex, NULL);
    box->first = NULL;
    box->end = &box->first;
}

bool inbox_put(inbox *box, long *awaited)
{
    struct letter *letter = malloc(sizeof *letter);
    bool was_empty;

    if (letter == NULL)
        fail("out of memory");
    letter->next = NULL;
    letter->awaited = awaited;
    pthread_mutex_lock(&box->mutex);
    was_empty = box->first == NULL;
    *box->end = letter;
    box->end = &letter->next;
    pthread_mutex_unlock(&box->mutex);
    return was_empty;
}

bool inbox_empty(inbox *box)
{
    struct letter *letter, *next;
    bool has_last = false;

    pthread_mutex_lock(&box->mutex);
    letter = box->first;
    box->first = NULL;
    box->end = &box->first;
    pthread_mutex_unlock(&box->mutex);
    for (; letter != NULL; letter = next) {
        next = letter->next;
        has_last |= was_last(letter->awaited);
        free(letter);
    }
    return has_last;
}
