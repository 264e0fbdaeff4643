/* SPDX-License-Identifier: MIT */
/*
 * Whom an HTTP request is for.
 *
 * A page of another site can have its own name lead here once it is loaded (DNS
 * rebinding), and is then, to the browser, a page of this server that may read all.  Only
 * the Host of its requests tells, for it is still the other's name.
 */
#ifndef DEMO_HTTP_HOST_H
#define DEMO_HTTP_HOST_H

#include <stdbool.h>

/*
 * Does a request's Host, be there a port behind it or not, name this server?  That is
 * the loopback, the address that the client of socket `fd` has come to, and `own`, the
 * name it was told to listen on.
 */
bool is_own_host(const char *host, int fd, const char *own);

#endif
