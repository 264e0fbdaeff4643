/* SPDX-License-Identifier: MIT */
/*
 * Guard 13: libuv's threads, which it starts with a process's first job and without which
 * it ends the process.
 */
#ifndef SEL_POOL_H
#define SEL_POOL_H

/* Before a job: 0, or why the threads can't be had, -EAGAIN or -ENOMEM. */
int sel__try_pool(void);

#endif
