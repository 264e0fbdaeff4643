/* SPDX-License-Identifier: MIT */
/*
 * What the programs share that lose their server again and again: each runs a mode of its own
 * on the selector that SELKIE_BACKEND names, ends with its input where a mode goes on, and
 * fails if a descriptor is left.
 */
#ifndef STRESS_H
#define STRESS_H

#include <selkie.h>

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AGAIN_MS = 5 }; /* until the next try to connect */

/* A mode: returns the exit status. */
typedef int stress_mode(sel_selector *sel, const char *server, int count);

typedef struct {
    const char *name;
    stress_mode *run;
} stress_choice;

static inline int stress_count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static inline int stress_fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    return 1;
}

/* Call `end` when there is no more input; it takes the key away. */
static inline int stress_until_end_of_input(sel_selector *sel, sel_callback *end, void *data)
{
    return sel_register(sel, 0, SEL_EVENT_READ, end, data);
}

/* Connect, and whatever becomes of that, until there is no more input. */
static inline int stress_survive(sel_selector *sel, sel_task *connect, sel_callback *end,
                                 void *data)
{
    if (stress_until_end_of_input(sel, end, data) < 0)
        return stress_fail("no input");
    connect(sel, data);
    sel_run(sel);
    puts("end");
    return 0;
}

/* PROGRAM MODE SERVER [COUNT] */
static inline int stress_main(int argc, char **argv, const stress_choice *choices)
{
    sel_selector *sel;
    int status = 2, before;

    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    /* The first of a process opens what libuv then keeps. */
    if (argc < 3 || sel_open(SEL_BACKEND_DEFAULT, &sel) < 0 || sel_close(sel) < 0)
        return 2;
    before = stress_count_descriptors();
    if (sel_open(SEL_BACKEND_DEFAULT, &sel) < 0)
        return 2;
    for (; choices->name != NULL; choices++)
        if (strcmp(choices->name, argv[1]) == 0)
            status = choices->run(sel, argv[2], argc > 3 ? atoi(argv[3]) : 0);
    if (sel_get_map(sel, NULL, 0) != 0)
        status = stress_fail("a descriptor is still watched");
    sel_close(sel);
    if (status == 0 && stress_count_descriptors() != before)
        status = stress_fail("a descriptor is still open");
    return status;
}

#endif
