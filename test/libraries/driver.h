/* SPDX-License-Identifier: MIT */
/*
 * What the programs of these tests share: they are driven by lines on stdin, run in one of
 * several loops, and leave nothing.
 */
#ifndef DRIVER_H
#define DRIVER_H

#include <selkie.h>

#include <stddef.h>

typedef struct driver driver;
typedef struct loop loop;

struct driver {
    sel_selector *sel;
    void (*command)(driver *self, int id, char *word, char *rest); /* a line `word id rest` */
    void (*end)(driver *self);                                     /* there are no more */
    int strangers; /* those that wait */
    int descriptors; /* how many there were at the beginning */
    size_t size;
    char buffer[4096];
};

/* Opens the selector, and reads lines from then on.  A failure ends the program. */
void driver_open(driver *self);

/* Runs until nothing is left to wait for, then says what there is that was not before. */
int driver_run(driver *self);

/*
 * Some other descriptor of the program's takes the lowest number, which a library has just
 * given back, perhaps.  It has one byte to read; that it is called for anything else, or
 * never, ends the program badly.
 */
void driver_add_stranger(driver *self);

/* Ends the program with a line where `error` is not 0. */
void driver_check(const char *what, int error);

/* The loop around the selector: selkie's own, libuv's or GLib's, a file each. */
loop *loop_open(sel_selector *sel);
void loop_run(loop *self);
void loop_close(loop *self); /* after sel_close() */

#endif
