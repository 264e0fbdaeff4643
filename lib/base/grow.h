/* SPDX-License-Identifier: MIT */
/*
 * Arrays that grow by an eighth and a little more, and never shrink.
 */
#ifndef SEL_GROW_H
#define SEL_GROW_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * `array` is the address of a pointer to *length elements of `size` bytes, or of a
 * NULL. Make it `wanted` elements or more. Returns 0, or -ENOMEM with nothing changed.
 */
static inline int sel__widen(void *array, int *length, int wanted, size_t size)
{
    int count = wanted + wanted / 8 + 4;
    char *old, *grown;

    if (wanted <= *length)
        return 0;
    memcpy(&old, array, sizeof old);
    grown = realloc(old, (size_t)count * size);
    if (grown == NULL)
        return -ENOMEM;
    memcpy(array, &grown, sizeof grown);
    *length = count;
    return 0;
}

/* The same, with the new elements zeroed. */
static inline int sel__grow(void *array, int *length, int wanted, size_t size)
{
    int before = *length;
    int error = sel__widen(array, length, wanted, size);
    char *grown;

    memcpy(&grown, array, sizeof grown);
    if (*length > before)
        memset(grown + (size_t)before * size, 0, (size_t)(*length - before) * size);
    return error;
}

#endif
