/* SPDX-License-Identifier: MIT */
/*
 * TARGET FILE|DIRECTORY...: each file, and each file of a directory, through a fuzz
 * target, without libFuzzer.  A finding ends the process by a signal, so the line with
 * the count is printed only when there was none.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 1 << 20, PATH = 4096 };

/* argv[0] of the program. */
static const char *name;

static _Noreturn void fail(const char *path)
{
    fprintf(stderr, "%s: cannot read %s\n", name, path);
    exit(2);
}

/* A copy of its own size, so that a read beyond it is seen. */
static void run_bytes(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    if (copy == NULL)
        fail("memory");
    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int run_file(const char *path)
{
    static uint8_t bytes[LARGEST];
    FILE *file = fopen(path, "rb");
    size_t size;

    if (file == NULL)
        fail(path);
    size = fread(bytes, 1, sizeof bytes, file);
    if (ferror(file))
        fail(path);
    fclose(file);
    tell_step("%s", path);
    run_bytes(bytes, size);
    return 1;
}

static int is_hidden(const char *entry)
{
    return entry[0] == '.';
}

/* Returns how many files it ran; -1: it is no directory. */
static int run_directory(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int count = 0;

    if (dir == NULL)
        return -1;
    while ((entry = readdir(dir)) != NULL) {
        char file[PATH];

        if (is_hidden(entry->d_name))
            continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        count += run_file(file);
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;

    name = argv[0];
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        int ran = run_directory(argv[i]);

        count += ran >= 0 ? ran : run_file(argv[i]);
    }
    dprintf(2, "%d inputs\n", count);
    return count > 0 ? 0 : 2;
}
