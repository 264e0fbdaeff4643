/* SPDX-License-Identifier: MIT */
/* What the system allows a client with very many connections, checked beforehand. */
#ifndef DEMO_RESOURCE_LIMITS_H
#define DEMO_RESOURCE_LIMITS_H

/*
 * Let this process have `count` descriptors besides a few of its own, by raising the
 * soft limit; if the hard limit is below that, print one plain line and exit with
 * status 1.
 */
void need_descriptors(int count);

/* The same for this machine's ports: every connection to the same server takes one. */
void need_ports(int count);

#endif
