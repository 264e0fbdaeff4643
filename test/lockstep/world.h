/* SPDX-License-Identifier: MIT */
/*
 * The small world that the selectors of lockstep.c watch: a dozen descriptor
 * numbers, the open files behind them, and what may happen to those.
 *
 * A place is an index; its number is FIRST_NUMBER + place.  Several places may
 * have the same file.  The other ends are kept out of the way of the numbers.
 */
#ifndef TEST_LOCKSTEP_WORLD_H
#define TEST_LOCKSTEP_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    WATCHED = 8, /* the places whose numbers are ever registered */
    PLACES = 12, /* with those that only keep a file open */
    FIRST_NUMBER = 200,
    KINDS = 7
};

typedef struct {
    dev_t device;
    ino_t inode;
} identity;

/* What poll(2) says of each place at one moment; 0 where there is no file. */
typedef struct {
    short revents[PLACES];
} view;

/* A thing that happens to the file of an occupied place. */
typedef struct {
    const char *name;
    void (*happen)(int place);
} happening;

enum { HAPPENINGS = 11 };

extern const happening happenings[HAPPENINGS];
extern const char *const kind_names[KINDS];

int number_of(int place);

/* 0: the place is empty.  A file's serial number is never used again. */
uint64_t file_at(int place);
identity identify(int place);
bool stands_for(int place, identity known);

void open_at(int place, int kind);
void close_at(int place);
void duplicate(int from, int to);
void close_everything(void);

void take_view(view *ret_view);

/* CPython's rule: hang-up and error are every event. */
int ready_by_poll(short revents);

#endif
