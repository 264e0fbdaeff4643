/* SPDX-License-Identifier: MIT */
#include <selkie/version.h>

#define STRING(x) #x
#define DOTTED(a, b, c) STRING(a) "." STRING(b) "." STRING(c)

const char *sel_version(void)
{
    return DOTTED(SELKIE_VERSION_MAJOR, SELKIE_VERSION_MINOR, SELKIE_VERSION_PATCH);
}
