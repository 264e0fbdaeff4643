/* SPDX-License-Identifier: MIT */
/*
 * The command line of the programs here: a table of options, read once before anything
 * else happens.
 *
 * --help and --version are added to every table.  An error is one plain line on stderr
 * and exit status 2.
 */
#ifndef DEMO_COMMAND_LINE_H
#define DEMO_COMMAND_LINE_H

#include <stdbool.h>

/*
 * The one of the four pointers that is not NULL takes the value.  For a number, `text`
 * may be set too; it takes the number as it was written.
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
