/* SPDX-License-Identifier: MIT */
/* What the system allows a client with very many connections, looked at beforehand. */
#ifndef DEMO_RESOURCE_LIMITS_H
#define DEMO_RESOURCE_LIMITS_H

/*
 * Let this process have `count` descriptors beside a few for itself: raises the soft
 * limit; one plain line and exit code 1 when the hard limit is below that.
 */
void need_descriptors(int count);

/* The same for this machine's ports: every connection to one server takes one. */
void need_ports(int count);

#endif
