/* SPDX-License-Identifier: MIT */
#include "selector/table.h"

#include "base/grow.h"

#include <errno.h>
#include <stdlib.h>

static sel__entry *new_block(void)
{
    sel__entry *block = calloc(SEL__BLOCK_SIZE, sizeof *block);

    if (block == NULL)
        return NULL;
    for (int i = 0; i < SEL__BLOCK_SIZE; i++)
        block[i].next_changed = SEL__UNLISTED;
    return block;
}

int sel__table_reserve(sel__table *table, int fd)
{
    int index = fd >> SEL__BLOCK_BITS;

    if (sel__grow(&table->blocks, &table->length, index + 1, sizeof *table->blocks) < 0)
        return -ENOMEM;
    if (table->blocks[index] == NULL)
        table->blocks[index] = new_block();
    return table->blocks[index] != NULL ? 0 : -ENOMEM;
}

void sel__table_free(sel__table *table)
{
    for (int i = 0; i < table->length; i++)
        free(table->blocks[i]);
    free(table->blocks);
}

sel__entry *sel__table_find(const sel__table *table, int fd)
{
    int index = fd >> SEL__BLOCK_BITS;
    sel__entry *entry;

    if (index >= table->length || table->blocks[index] == NULL)
        return NULL;
    entry = sel__table_at(table, fd);
    return entry->flags != 0 ? entry : NULL;
}

int sel__table_next(const sel__table *table, int fd)
{
    int end = table->length * SEL__BLOCK_SIZE;

    for (fd++; fd < end; fd++) {
        if (table->blocks[fd >> SEL__BLOCK_BITS] == NULL)
            fd |= SEL__BLOCK_SIZE - 1;
        else if (sel__table_at(table, fd)->flags != 0)
            return fd;
    }
    return SEL__NO_FD;
}
