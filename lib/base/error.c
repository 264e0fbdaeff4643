/* SPDX-License-Identifier: MIT */
#include <selkie/selectors.h>

#include <limits.h>
#include <string.h>

/* strerror() uses a buffer per thread: in glibc since 2.32, and in musl. */
const char *sel_strerror(int error)
{
    if (error == INT_MIN)
        error = INT_MAX;
    return strerror(error < 0 ? -error : error);
}
