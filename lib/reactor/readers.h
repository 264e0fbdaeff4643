/* SPDX-License-Identifier: MIT */
/*
 * Readers and writers.
 */
#ifndef SEL_READERS_H
#define SEL_READERS_H

#include <selkie/selectors.h>

/*
 * The callback of a key that holds a reader, a writer or both. Its data is a block that
 * the library allocates and frees with the key.
 */
sel_callback sel__call_handles;

#endif
