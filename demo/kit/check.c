/* SPDX-License-Identifier: MIT */
/* The library never prints or exits by itself: that is for its users. */
#include "kit/check.h"
#include "kit/fail.h"

#include <selkie.h>

#include <stdlib.h>

void check(int error, const char *what)
{
    if (error < 0)
        fail(EXIT_FAILURE, "cannot %s: %s", what, sel_strerror(error));
}
