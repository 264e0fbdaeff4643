/* SPDX-License-Identifier: MIT */
/*
 * selkie.h - everything but the libuv bridge.
 *
 * selkie is Python's `selectors` module for C, and the reactor above it.  A
 * program with libuv handles of its own also includes <selkie/uv.h>.
 */
#ifndef SELKIE_H
#define SELKIE_H

#include <selkie/compat.h>
#include <selkie/debug.h>
#include <selkie/reactor.h>
#include <selkie/selectors.h>
#include <selkie/version.h>

#endif
