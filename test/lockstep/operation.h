/* SPDX-License-Identifier: MIT */
/*
 * What a step of lockstep.c does, as data: it can be drawn, kept, left out,
 * printed, read again and done.
 *
 * In a script an operation is a line that looks like C, `register(203, READ, 7);`
 * for one: a number, what it is watched for, which data.
 */
#ifndef TEST_LOCKSTEP_OPERATION_H
#define TEST_LOCKSTEP_OPERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LONGEST_LINE = 96, LONGEST_SEQUENCE = 4096 };

typedef struct {
    uint8_t verb;
    uint8_t place;
    uint8_t argument; /* events, kind, place or backend, as the verb has it */
    uint8_t data;
} operation;

/* What was done since the selectors were opened and no file was there. */
typedef struct {
    int length;
    operation operations[LONGEST_SEQUENCE];
} sequence;

/* 0 .. count - 1; from a seed on always the same. */
void seed_choices(uint64_t seed);
int choose(int count);

operation draw_operation(void);

/* False: there is nothing to do it to. */
bool do_operation(operation done);

void describe_operation(operation described, char *ret_line, size_t size);

/* False: the line is none. */
bool read_operation(const char *line, operation *ret_read);

/* Something simpler that may do as well, the variant-th; false: no more. */
bool simplify_operation(operation *simplified, int variant);

#endif
