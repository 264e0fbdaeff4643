/* SPDX-License-Identifier: MIT */
/* What the programs here do about a library call that must not fail. */
#ifndef DEMO_CHECK_H
#define DEMO_CHECK_H

/* If `error` is negative, print "cannot `what`" and end the program; else do nothing. */
void check(int error, const char *what);

#endif
