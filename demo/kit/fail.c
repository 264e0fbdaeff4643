/* SPDX-License-Identifier: MIT */
/* Each line is a single write(), so that lines from several programs don't mix. */
#include "kit/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_line(const char *format, va_list arguments)
{
    char message[512];
    vsnprintf(message, sizeof message, format, arguments);
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, message);
}

void fail(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_line(format, arguments);
    va_end(arguments);
    exit(status);
}

void note(bool verbose, const char *format, ...)
{
    if (!verbose)
        return;
    va_list arguments;
    va_start(arguments, format);
    print_line(format, arguments);
    va_end(arguments);
}

void flush_stdout(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        fail(EXIT_FAILURE, "cannot write to stdout: %s", strerror(errno));
}
