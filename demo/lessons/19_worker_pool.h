/* SPDX-License-Identifier: MIT */
/*
 * A pool of worker processes: apply() waits for one result, apply_async() hands a task in
 * and goes on; its callback runs in the parent, when the result has come.
 *
 * A worker has one task at a time; the rest wait in the pool.  close() takes no more
 * tasks, and workers end when nothing is left for them; join() waits until they have.  A
 * worker that dies loses its task, which is reported.
 */
#ifndef DEMO_WORKER_POOL_H
#define DEMO_WORKER_POOL_H

#include <selkie.h>

#include <stdbool.h>
#include <sys/types.h>

enum { WORKERS_MAX = 64, TASKS_MAX = 10000, NONE = -1 };

typedef struct {
    int task;
    int value; /* NONE: it was lost */
    pid_t pid;
} task_result;

typedef int task_function(int task, const void *data); /* called in a worker */
typedef void result_callback(task_result result, void *data);

typedef struct {
    int number;
    result_callback *callback;
    void *data;
} pool_task;

typedef struct {
    pid_t pid;
    int fd; /* -1: told to end */
    bool busy;
    pool_task task;
} worker;

typedef struct {
    sel_selector *sel;
    task_function *work;
    const void *data; /* for it */
    worker workers[WORKERS_MAX];
    int count, running;
    int next; /* whose turn it is */
    pool_task waiting[TASKS_MAX];
    int first, last; /* waiting[first .. last) */
    bool closed;
} worker_pool;

/* Start so many workers, which call work(task, data).  All zero is a pool without any.
 * Failure ends the program. */
void pool_open(worker_pool *pool, int count, task_function *work, const void *data);

/* Returns -EINVAL when the pool is closed, -ECHILD when no worker is left. */
int pool_apply_async(worker_pool *pool, int task, result_callback *callback, void *data);

/* The result, when it has come; nothing else happens in this process until then. */
task_result pool_apply(worker_pool *pool, int task);

void pool_close(worker_pool *pool);
void pool_join(worker_pool *pool);

#endif
