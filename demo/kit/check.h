/* SPDX-License-Identifier: MIT */
/* What the programs here do about a call of the library that must not fail. */
#ifndef DEMO_CHECK_H
#define DEMO_CHECK_H

/* Nothing, unless `error` is negative: then "cannot `what`" is the program's end. */
void check(int error, const char *what);

#endif
