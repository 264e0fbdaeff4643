/* SPDX-License-Identifier: MIT */
/*
 * Memory. tsearch() allocates inside the C library, so it fails as a whole; the
 * nodes that it made count as blocks.
 */
#include "faults.h"

#include <search.h>
#include <stdlib.h>

typedef int comparison(const void *a, const void *b);

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__real_tsearch(const void *key, void **root, comparison *compare);
void *__real_tdelete(const void *key, void **root, comparison *compare);
void __real_tdestroy(void *root, void (*free_node)(void *node));

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);
void *__wrap_tsearch(const void *key, void **root, comparison *compare);
void *__wrap_tdelete(const void *key, void **root, comparison *compare);
void __wrap_tdestroy(void *root, void (*free_node)(void *node));

static void *counted(void *block)
{
    fault_live += block != NULL;
    return block;
}

void *__wrap_malloc(size_t size)
{
    return faults_strike(MEMORY) ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return faults_strike(MEMORY) ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    if (faults_strike(MEMORY))
        return NULL;
    return block == NULL ? counted(__real_realloc(NULL, size)) : __real_realloc(block, size);
}

void __wrap_free(void *block)
{
    fault_live -= block != NULL;
    __real_free(block);
}

void *__wrap_tsearch(const void *key, void **root, comparison *compare)
{
    return faults_strike(MEMORY) ? NULL : counted(__real_tsearch(key, root, compare));
}

void *__wrap_tdelete(const void *key, void **root, comparison *compare)
{
    void *parent = __real_tdelete(key, root, compare);

    fault_live -= parent != NULL;
    return parent;
}

static void (*free_key)(void *key);

static void free_counted(void *key)
{
    fault_live--;
    free_key(key);
}

void __wrap_tdestroy(void *root, void (*free_node)(void *node))
{
    free_key = free_node;
    __real_tdestroy(root, free_counted);
}
