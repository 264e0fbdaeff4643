/* SPDX-License-Identifier: MIT */
#include "uv/pool_end.h"

#include "uv/loop.h"
#include "uv/pool.h"
#include "base/fork.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* No process has this number. */
#define NOBODYS UINT_MAX

/* Which process the pool's threads belong to, by sel__forks(); 0 before there are any. */
static atomic_uint owner;

/* libuv knows of this fork, and starts new threads with the next job. */
static void in_child(void)
{
    if (atomic_load(&owner) != 0)
        atomic_store(&owner, NOBODYS);
}

static void do_nothing(uv_work_t *request)
{
    (void)request;
}

static void have_done_nothing(uv_work_t *request, int status)
{
    (void)request;
    (void)status;
}

/*
 * Functions registered with atexit() run before any library's destructor. The first job
 * starts a pool, in every version of libuv.
 */
static void at_exit(void)
{
    sel__loop loop = {0};
    uv_work_t request;

    if (atomic_load(&owner) != NOBODYS || sel__try_pool() < 0 ||
        sel__loop_open(&loop, NULL) < 0)
        return;
    uv_queue_work(&loop.uv, &request, do_nothing, have_done_nothing);
    sel__loop_close(&loop, NULL); /* it has no handle, and waits for the job */
}

/* Two threads may get there at once: doing it twice does no harm. */
int sel__prepare_pool_end(void)
{
    static atomic_bool prepared;
    unsigned int known = atomic_load(&owner);

    if (known != 0 && known != NOBODYS && known != sel__forks())
        return -ENOTSUP;
    if (atomic_load(&prepared))
        return 0;
    if (pthread_atfork(NULL, NULL, in_child) != 0 || atexit(at_exit) != 0)
        return -ENOMEM;
    atomic_store(&prepared, true);
    return 0;
}

void sel__note_own_pool(void)
{
    atomic_store(&owner, sel__forks());
}
