/* SPDX-License-Identifier: MIT */
/*
 * The command line of the programs here: a table of options, read once before
 * anything else happens.
 *
 * --help and --version are in every table by themselves.  What is wrong is one
 * plain line on stderr and exit code 2.
 */
#ifndef DEMO_COMMAND_LINE_H
#define DEMO_COMMAND_LINE_H

#include <stdbool.h>

/*
 * Of the four pointers the one that is not NULL takes the value.  Of a number `text`
 * may keep, besides, how it was written.
 */
typedef struct {
    const char *name;     /* "connections"; NULL ends a table */
    char letter;          /* its short form */
    const char *argument; /* what --help calls its value; NULL for a flag */
    const char *help;
    bool *flag;
    const char **text;
    double *seconds;
    int *number;
    int lowest, highest; /* of a number */
} command_option;

enum { OPTIONS_MAX = 16 };

/* argparse's parse_args(); does not return from --help and --version. */
void read_command_line(int argc, char **argv, const char *purpose,
                       const command_option *options);

#endif
