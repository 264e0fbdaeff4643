/* SPDX-License-Identifier: MIT */
/*
 * Arrays that grow, by an eighth and a little more, and never shrink.
 */
#ifndef SEL_GROW_H
#define SEL_GROW_H

#include <stddef.h>

/*
 * `array` is the address of a pointer to *length elements of `size` bytes, or to none.
 * Make them `wanted` or more; the new ones are zeros. 0, or -ENOMEM and nothing is changed.
 */
int sel__grow(void *array, int *length, int wanted, size_t size);

#endif
