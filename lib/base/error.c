/* SPDX-License-Identifier: MIT */
#include <selkie/selectors.h>

#include <limits.h>
#include <string.h>

/* strerror() keeps a buffer for each thread since glibc 2.32, as musl does. */
const char *sel_strerror(int error)
{
    if (error == INT_MIN)
        error = INT_MAX;
    return strerror(error < 0 ? -error : error);
}
