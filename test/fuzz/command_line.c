/* SPDX-License-Identifier: MIT */
/*
 * The command lines of the programs: of the servers (demo/kit/listen.c) and of those with a
 * table of options (demo/kit/command_line.c), here the load client's.
 *
 * The input is the arguments, each ended by a newline.  Where the programs would exit()
 * the linker's --wrap leads back to here.
 */
#include "kit/listen.h"
#include "load/load_options.h"

#include "fuzz.h"

#include <getopt.h>
#include <math.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ARGUMENTS = 12, LARGEST = 1024 };

static const double MOST_SECONDS = 1e6;

static jmp_buf exited;
static bool parsing;
static int argument_count; /* static, for longjmp() may spoil others */
static char *arguments[MOST_ARGUMENTS + 2];

_Noreturn void __wrap_exit(int status);
_Noreturn void __real_exit(int status);

_Noreturn void __wrap_exit(int status)
{
    if (!parsing)
        __real_exit(status);
    if (status != EXIT_SUCCESS && status != EXIT_USAGE)
        broken("exit(%d)", status);
    longjmp(exited, 1);
}

static void check_range(const char *name, int value, int lowest, int highest)
{
    if (value < lowest || value > highest)
        broken("%s is %d", name, value);
}

static void check_seconds(double seconds)
{
    if (!(seconds > 0 && seconds <= MOST_SECONDS))
        broken("a timeout of %g s", seconds);
}

static void read_server_options(int argc, bool takes_timeout)
{
    server_options options = {.purpose = "A server.", .takes_timeout = takes_timeout};

    parse_options(argc, arguments, &options);
    check_range("--port", atoi(options.port), 0, 65535);
    if (strspn(options.port, "0123456789") != strlen(options.port))
        broken("--port is '%s'", options.port);
    check_range("--backlog", options.backlog, 1, 65535);
    if (takes_timeout && !isinf(options.timeout))
        check_seconds(options.timeout);
    if (options.host == NULL)
        broken("no host");
}

static void read_load_options(int argc)
{
    load_options given = read_options(argc, arguments);

    check_range("--port", given.port, 1, 65535);
    check_range("--connections", given.connections, 1, 1000000);
    check_range("--messages", given.messages, 1, 1000000);
    check_range("--size", given.size, 1, 1000000);
    check_range("--ramp", given.ramp, 1, 1000000);
    check_seconds(given.timeout);
    if (given.host == NULL)
        broken("no host");
}

static void parse(int table)
{
    if (table == 0)
        read_load_options(argument_count);
    else
        read_server_options(argument_count, table == 1);
}

static void split(char *text)
{
    static char name[] = "program";
    int count = 1;

    arguments[0] = name;
    for (char *rest = text, *next; count <= MOST_ARGUMENTS; rest = next + 1) {
        next = strchr(rest, '\n');
        if (next == NULL)
            break;
        *next = '\0';
        arguments[count++] = rest;
    }
    arguments[count] = NULL;
    argument_count = count;
}

/* What the programs print, and getopt_long() too, is not wanted here. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    stdout = stderr = fopen("/dev/null", "w");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static char text[LARGEST + 1];

    if (size < 1 || size > LARGEST)
        return 0;
    memcpy(text, bytes + 1, size - 1);
    text[size - 1] = '\0';
    split(text);
    optind = 0; /* getopt_long() begins anew */
    parsing = true;
    if (setjmp(exited) == 0)
        parse(bytes[0] % 3);
    parsing = false;
    return 0;
}
