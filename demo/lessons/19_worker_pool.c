/* SPDX-License-Identifier: MIT */
/* Each worker is a socket with a callback: the parent is a loop above them. */
#include "lessons/19_worker_pool.h"
#include "kit/blocking.h"
#include "kit/check.h"
#include "kit/loopback.h"
#include "kit/process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void run_worker(const worker_pool *pool, int fd)
{
    int task;
    while (receive_all(fd, &task, sizeof task)) {
        int value = pool->work(task, pool->data);
        task_result result = {.task = task, .value = value, .pid = getpid()};
        if (send_all(fd, &result, sizeof result) < 0)
            break;
    }
    _exit(EXIT_SUCCESS);
}

static void end_worker(worker_pool *pool, worker *one)
{
    sel_unregister(pool->sel, one->fd);
    close(one->fd);
    one->fd = -1;
}

/* Give the worker the task that waits; if none will ever come, let it end. */
static void give_task(worker_pool *pool, worker *one)
{
    one->busy = pool->first < pool->last;
    if (one->busy) {
        one->task = pool->waiting[pool->first++];
        send_all(one->fd, &one->task.number, sizeof(int)); /* is it gone?  we are told */
    } else if (pool->closed) {
        end_worker(pool, one);
    }
}

static void result_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    (void)mask;
    worker_pool *pool = key->data;
    worker *one = pool->workers;
    while (one->fd != key->fd)
        one++;
    pool_task task = one->task;
    task_result result = {.task = task.number, .value = NONE, .pid = one->pid};
    bool came = receive_all(one->fd, &result, sizeof result), was_busy = one->busy;
    if (came)
        give_task(pool, one);
    else
        end_worker(pool, one);
    if (was_busy)
        task.callback(result, task.data);
}

static void start_worker(worker_pool *pool, worker *one)
{
    int ends[2];
    open_pair(SOCK_STREAM, ends);
    one->pid = fork_child();
    if (one->pid == 0) {
        close(ends[0]);
        /* With our ends of the others' pairs in here they would not see their end. */
        for (const worker *other = pool->workers; other < one; other++)
            close(other->fd);
        run_worker(pool, ends[1]);
    }
    close(ends[1]);
    one->fd = ends[0];
    pool->running++;
}

static void drop_waiting(worker_pool *pool)
{
    while (pool->first < pool->last) {
        pool_task task = pool->waiting[pool->first++];
        task.callback((task_result){task.number, NONE, 0}, task.data);
    }
}

/* SIGCHLD */
static void reap(sel_selector *sel, void *data)
{
    worker_pool *pool = data;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        pool->running--;
    if (pool->running == 0) {
        drop_waiting(pool);
        sel_stop(sel);
    }
}

static void interrupted(sel_selector *sel, void *data)
{
    (void)sel;
    worker_pool *pool = data;
    for (int i = 0; i < pool->count; i++)
        if (pool->workers[i].fd >= 0) /* else it ends, and its number may be another's */
            kill(pool->workers[i].pid, SIGTERM);
}

void pool_open(worker_pool *pool, int count, task_function *work, const void *data)
{
    pool->work = work;
    pool->data = data;
    pool->count = count;
    check(sel_open(SEL_BACKEND_DEFAULT, &pool->sel), "open a selector");
    check(sel_add_signal_handler(pool->sel, SIGCHLD, reap, pool), "watch SIGCHLD");
    check(sel_add_signal_handler(pool->sel, SIGINT, interrupted, pool), "watch SIGINT");
    check(sel_add_signal_handler(pool->sel, SIGTERM, interrupted, pool), "watch SIGTERM");
    for (int i = 0; i < count; i++)
        start_worker(pool, &pool->workers[i]);
    for (int i = 0; i < count; i++)
        check(sel_register(pool->sel, pool->workers[i].fd, SEL_EVENT_READ, result_cb,
                           pool),
              "watch a worker");
}

int pool_apply_async(worker_pool *pool, int task, result_callback *callback, void *data)
{
    worker *idle = NULL;
    bool left = false;
    for (int i = 0; i < pool->count && idle == NULL; i++) {
        worker *one = &pool->workers[(pool->next + i) % pool->count];
        left |= one->fd >= 0;
        if (one->fd >= 0 && !one->busy)
            idle = one;
    }
    if (pool->closed || pool->last == TASKS_MAX || !left)
        return left ? -EINVAL : -ECHILD;
    pool->waiting[pool->last++] = (pool_task){task, callback, data};
    if (idle != NULL) {
        pool->next = (int)(idle - pool->workers) + 1;
        give_task(pool, idle);
    }
    return 0;
}

typedef struct {
    task_result result;
    bool has_come;
} applied_task;

static void keep_result(task_result result, void *data)
{
    *(applied_task *)data = (applied_task){result, true};
}

/* Nothing else happens meanwhile: that is why several run one after another. */
task_result pool_apply(worker_pool *pool, int task)
{
    applied_task applied = {.has_come = false};
    check(pool_apply_async(pool, task, keep_result, &applied), "hand in a task");
    while (!applied.has_come) {
        check(sel_select(pool->sel, SEL_FOREVER, NULL), "wait");
        check(sel_dispatch(pool->sel), "serve");
    }
    return applied.result;
}

void pool_close(worker_pool *pool)
{
    pool->closed = true;
    for (int i = 0; i < pool->count; i++)
        if (!pool->workers[i].busy && pool->workers[i].fd >= 0)
            end_worker(pool, &pool->workers[i]);
}

void pool_join(worker_pool *pool)
{
    if (pool->running > 0)
        check(sel_run(pool->sel), "wait");
    sel_close(pool->sel);
}
