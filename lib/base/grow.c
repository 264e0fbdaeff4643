/* SPDX-License-Identifier: MIT */
#include "base/grow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int sel__grow(void *array, int *length, int wanted, size_t size)
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
