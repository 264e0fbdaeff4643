/* SPDX-License-Identifier: MIT */
/*
 * Python's bytearray, as far as an echo server needs it: bytes come in at the end and
 * leave at the front.
 *
 * An all-zero struct is an empty array.  An empty array holds no memory, so ten
 * thousand clients with nothing queued cost nothing here.
 */
#ifndef DEMO_BYTEARRAY_H
#define DEMO_BYTEARRAY_H

#include <stddef.h>

typedef struct {
    char *memory;
    size_t capacity;
    size_t start; /* the content is memory[start .. start + size) */
    size_t size;
} bytearray;

/* `array += bytes`.  Returns 0, or -ENOMEM with nothing changed. */
int bytearray_extend(bytearray *array, const char *bytes, size_t size);

/* The first of the `size` bytes; NULL if there are none. */
const char *bytearray_bytes(const bytearray *array);

/* `del array[:size]`; size is at most the array's. */
void bytearray_remove(bytearray *array, size_t size);

/* `array.clear()` */
void bytearray_clear(bytearray *array);

#endif
