/* SPDX-License-Identifier: MIT */
/*
 * Guard 13: libuv's threads, which it starts with a process's first job; if it can't,
 * it aborts.
 */
#ifndef SEL_POOL_H
#define SEL_POOL_H

/* Called before a job. Returns 0, or why the threads can't be started: -EAGAIN or -ENOMEM. */
int sel__try_pool(void);

#endif
