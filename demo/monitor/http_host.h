/* SPDX-License-Identifier: MIT */
/*
 * Which host an HTTP request is for.
 *
 * Once a page of another site is loaded, the site can make its own name point here (DNS
 * rebinding).  To the browser, the page then belongs to this server and may read
 * everything.  Only the Host of its requests gives it away, because that is still the
 * other site's name.
 */
#ifndef DEMO_HTTP_HOST_H
#define DEMO_HTTP_HOST_H

#include <stdbool.h>

/*
 * Does a request's Host, with or without a port, name this server?  That is loopback,
 * the address that the client of socket `fd` connected to, and `own`, the name that the
 * server was told to listen on.
 */
bool is_own_host(const char *host, int fd, const char *own);

#endif
