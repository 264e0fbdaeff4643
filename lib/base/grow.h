/* SPDX-License-Identifier: MIT */
/*
 * Arrays that grow, by an eighth and a little more, and never shrink.
 */
#ifndef SEL_GROW_H
#define SEL_GROW_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * `array` is the address of a pointer to *length elements of `size` bytes, or to none.
 * Make them `wanted` or more; the new ones are zeros. 0, or -ENOMEM and nothing is changed.
 */
static inline int sel__grow(void *array, int *length, int wanted, size_t size)
{
    size_t before = (size_t)*length * size;
    int after = wanted + wanted / 8 + 4;
    char *elements;

    if (wanted <= *length)
        return 0;
    memcpy(&elements, array, sizeof elements);
    elements = realloc(elements, (size_t)after * size);
    if (elements == NULL)
        return -ENOMEM;
    memset(elements + before, 0, (size_t)after * size - before);
    memcpy(array, &elements, sizeof elements);
    *length = after;
    return 0;
}

#endif
