/* SPDX-License-Identifier: MIT */
/* The library itself never prints or exits; that is left to programs. */
#include "kit/check.h"
#include "kit/fail.h"

#include <selkie.h>

#include <stdlib.h>

void check(int error, const char *what)
{
    if (error < 0)
        fail(EXIT_FAILURE, "cannot %s: %s", what, sel_strerror(error));
}
