/* SPDX-License-Identifier: MIT */
/*
 * Guard 14: the exit of a process in which libuv has a pool.
 *
 * libuv's destructor joins the pool's threads. In a forked child that has not used the
 * pool itself, those are the parent's, and the child has nothing of them but their ids:
 * it would crash, or wait for ever. So such a child gets threads of its own just before
 * it exits.
 */
#ifndef SEL_POOL_END_H
#define SEL_POOL_END_H

/*
 * Called before a job. Returns 0, -ENOMEM, or -ENOTSUP in a child whose fork libuv did
 * not notice: there no thread would ever take the job.
 */
int sel__prepare_pool_end(void);

/* The pool that this process has now is its own. */
void sel__note_own_pool(void);

#endif
