/* SPDX-License-Identifier: MIT */
/* How a loop over descriptors hears SIGINT and SIGTERM: as one descriptor more. */
#ifndef DEMO_STOP_H
#define DEMO_STOP_H

/* A descriptor that turns readable when SIGINT or SIGTERM comes, instead of ending
 * the program.  Failure is one plain line and the program's end. */
int open_stop(void);

#endif
