/* SPDX-License-Identifier: MIT */
/*
 * What the tests of readers and writers share.
 */
#ifndef TEST_READERS_H
#define TEST_READERS_H

#include "support/journal.h"

/* A selector, and a socket that can be read and written. */
typedef struct {
    sel_selector *sel;
    int fd;
    int other_end;
} subject;

subject open_subject(int backend);
void close_subject(subject *opened);

/* Tasks that note these. */
void add_both(sel_selector *sel, int fd, const char *reads, const char *writes);

/* One pass that finds this one ready, and nothing else. */
void pass_with(sel_selector *sel, int fd);

/* Make the number stand for a regular file. */
void replace_by_regular_file(int number);

#endif
