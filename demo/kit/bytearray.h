/* SPDX-License-Identifier: MIT */
/*
 * Python's bytearray, as far as an echo server needs it: bytes come in at the
 * end and leave at the front.
 *
 * All zero is an empty one.  An empty one holds no memory, so ten thousand
 * clients with nothing queued cost nothing here.
 */
#ifndef DEMO_BYTEARRAY_H
#define DEMO_BYTEARRAY_H

#include <stddef.h>

typedef struct {
    char *memory;
    size_t capacity;
    size_t start; /* what is held is memory[start .. start + size) */
    size_t size;
} bytearray;

/* `array += bytes`.  Returns 0, or -ENOMEM and nothing has changed. */
int bytearray_extend(bytearray *array, const char *bytes, size_t size);

/* The first of the `size` bytes held; NULL when there are none. */
const char *bytearray_bytes(const bytearray *array);

/* `del array[:size]`; size is at most what is held. */
void bytearray_remove(bytearray *array, size_t size);

/* `array.clear()` */
void bytearray_clear(bytearray *array);

#endif
