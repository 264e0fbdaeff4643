/* SPDX-License-Identifier: MIT */
/* What the fuzz targets have in common: reading an input, and telling what is broken. */
#include "fuzz.h"

#include <selkie.h>

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int take_byte(fuzz_input *input)
{
    return input->next < input->end ? *input->next++ : 0;
}

size_t bytes_left(const fuzz_input *input)
{
    return (size_t)(input->end - input->next);
}

/* Past stdio: some targets take stderr away from the program they test. */
static void print(const char *format, va_list arguments)
{
    char line[256];
    int length = vsnprintf(line, sizeof line - 1, format, arguments);

    if (length < 0 || length > (int)sizeof line - 2)
        length = (int)sizeof line - 2;
    line[length] = '\n';
    if (write(STDERR_FILENO, line, (size_t)length + 1) < 0)
        return;
}

void tell_step(const char *format, ...)
{
    static int verbose = -1;
    va_list arguments;

    if (verbose < 0)
        verbose = getenv("FUZZ_VERBOSE") != NULL;
    if (!verbose)
        return;
    va_start(arguments, format);
    print(format, arguments);
    va_end(arguments);
}

void broken(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print(format, arguments);
    va_end(arguments);
    abort();
}

int must(int result, const char *call)
{
    if (result < 0)
        broken("%s: %s", call, strerror(errno));
    return result;
}

int count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    if (dir == NULL)
        broken("/proc/self/fd: %s", strerror(errno));
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

void check_descriptors(int before)
{
    int after = count_descriptors();

    if (after != before)
        broken("%d descriptors before, %d after", before, after);
}

void warm_up(void)
{
    for (int backend = SEL_BACKEND_UV; backend <= SEL_BACKEND_KQUEUE; backend++) {
        sel_selector *sel = NULL;

        if (sel_open((sel_backend)backend, &sel) == 0)
            sel_close(sel);
    }
}

int count_backends(void)
{
    return sel_backend_available(SEL_BACKEND_KQUEUE) ? SEL_BACKEND_KQUEUE : SEL_BACKEND_SELECT;
}
