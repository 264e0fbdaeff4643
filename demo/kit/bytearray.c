/* SPDX-License-Identifier: MIT */
/*
 * Python's bytearray: bytes in at the end, out at the front.
 *
 * start + size <= capacity, and memory is NULL exactly when capacity is 0.
 */
#include "kit/bytearray.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 256 };

/* The bytes are moved to the front only when the end is reached, not at every removal. */
static int make_room(bytearray *array, size_t size)
{
    if (array->start > 0) {
        memmove(array->memory, array->memory + array->start, array->size);
        array->start = 0;
    }
    size_t capacity = array->capacity > 0 ? array->capacity : SMALLEST;
    while (capacity < array->size + size)
        capacity *= 2;
    if (capacity == array->capacity)
        return 0;
    char *memory = realloc(array->memory, capacity);
    if (memory == NULL)
        return -ENOMEM;
    array->memory = memory;
    array->capacity = capacity;
    return 0;
}

int bytearray_extend(bytearray *array, const char *bytes, size_t size)
{
    if (size == 0)
        return 0;
    if (array->start + array->size + size > array->capacity) {
        int error = make_room(array, size);
        if (error < 0)
            return error;
    }
    memcpy(array->memory + array->start + array->size, bytes, size);
    array->size += size;
    return 0;
}

const char *bytearray_bytes(const bytearray *array)
{
    return array->size > 0 ? array->memory + array->start : NULL;
}

void bytearray_remove(bytearray *array, size_t size)
{
    array->start += size;
    array->size -= size;
    if (array->size == 0)
        bytearray_clear(array);
}

void bytearray_clear(bytearray *array)
{
    free(array->memory);
    *array = (bytearray){0};
}
