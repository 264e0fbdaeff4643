/* SPDX-License-Identifier: MIT */
/*
 * Included in front of every file of a coverage build: a forked child that ends
 * by _exit(2) tells what it ran, as one that ends by exit(3) does by itself. It may
 * have let itself open no more descriptors, which the telling needs.
 */
#ifndef TEST_COVERAGE_EXIT_H
#define TEST_COVERAGE_EXIT_H

#include <sys/resource.h>
#include <unistd.h>

void __gcov_dump(void);

static inline _Noreturn void test_exit(int status)
{
    struct rlimit open_files;

    getrlimit(RLIMIT_NOFILE, &open_files);
    open_files.rlim_cur = open_files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &open_files);
    __gcov_dump();
    _exit(status);
}

#define _exit(status) test_exit(status)

#endif
