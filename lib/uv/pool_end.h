/* SPDX-License-Identifier: MIT */
/*
 * Guard 14: the end of a process that libuv's pool is known to.
 *
 * libuv's destructor joins the pool's threads. In a forked child that has not used the
 * pool itself those are its parent's, of which there is nothing in the child but their
 * names: it would crash, or wait for ever. So such a child gets threads of its own
 * before, when it exits.
 */
#ifndef SEL_POOL_END_H
#define SEL_POOL_END_H

/*
 * Before a job.  0, -ENOMEM, or -ENOTSUP in a child that libuv was not told of: there
 * no thread would ever take the job.
 */
int sel__prepare_pool_end(void);

/* The pool that this process has by now is its own. */
void sel__note_own_pool(void);

#endif
