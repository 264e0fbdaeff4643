/* SPDX-License-Identifier: MIT */
/*
 * demo/lessons/18_manager.c by itself, for test/python/test_manager.py: it prints its name in the
 * abstract namespace and serves until stdin ends.  An argument is the limit of its
 * descriptors.
 */
#include "lessons/18_manager.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

int main(int argc, char **argv)
{
    if (argc > 1) {
        rlim_t limit = strtoul(argv[1], NULL, 10);

        setrlimit(RLIMIT_NOFILE, &(struct rlimit){limit, limit});
    }
    manager server = start_manager();

    printf("%s\n", server.address.sun_path + 1);
    fflush(stdout);
    while (getchar() != EOF)
        continue;
    stop_manager(&server);
    return EXIT_SUCCESS;
}
