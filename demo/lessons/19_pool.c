/* SPDX-License-Identifier: MIT */
/*
 * A pool of worker processes: apply() waits for one result, apply_async() hands a task
 * in and goes on; its callback runs here, in the parent, when the result has come.
 *
 * A worker has one task at a time; the rest wait in the pool.  close() takes no more
 * tasks, and workers end when nothing is left for them; join() waits until they have:
 * without it the program would end before its results.  A worker that dies loses its
 * task, which is told.  docs/twins/pool.py is the same program in Python.
 */
#include "kit/blocking.h"
#include "kit/check.h"
#include "kit/command_line.h"
#include "kit/fail.h"
#include "kit/loopback.h"
#include "kit/process.h"

#include <selkie.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS_MAX = 64, TASKS_MAX = 10000, NONE = -1 };

typedef struct {
    int task, value;
    pid_t pid;
} task_result;

typedef void result_callback(task_result result); /* value NONE: it was lost */

typedef struct {
    pid_t pid;
    int fd; /* -1: told to end */
    int task; /* NONE: idle */
    result_callback *callback;
} worker;

typedef struct {
    sel_selector *sel;
    worker workers[WORKERS_MAX];
    int count, running;
    int next; /* whose turn it is */
    struct {
        int task;
        result_callback *callback;
    } waiting[TASKS_MAX];
    int first, last; /* waiting[first .. last) */
    bool closed;
} worker_pool;

static double seconds = 0.1;
static int lost;

/* The work: it takes its time. */
static int work(int task)
{
    struct timespec left = {(time_t)seconds,
                            (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
    return task + 100;
}

static _Noreturn void run_worker(int fd)
{
    int task;
    while (receive_all(fd, &task, sizeof task)) {
        task_result result = {.task = task, .value = work(task), .pid = getpid()};
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

/* Give the worker what waits; if nothing will ever come, let it end. */
static void give_task(worker_pool *pool, worker *one)
{
    one->task = NONE;
    if (pool->first < pool->last) {
        one->task = pool->waiting[pool->first].task;
        one->callback = pool->waiting[pool->first++].callback;
        send_all(one->fd, &one->task, sizeof one->task); /* if it is gone, we are told */
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
    task_result result = {.task = one->task, .value = NONE, .pid = one->pid};
    bool came = receive_all(one->fd, &result, sizeof result);
    result_callback *callback = one->callback;
    int task = one->task;
    if (came)
        give_task(pool, one);
    else
        end_worker(pool, one);
    if (task != NONE)
        callback(result);
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
        run_worker(ends[1]);
    }
    close(ends[1]);
    one->fd = ends[0];
    one->task = NONE;
    pool->running++;
}

static void drop_waiting(worker_pool *pool)
{
    while (pool->first < pool->last) {
        int i = pool->first++;
        pool->waiting[i].callback((task_result){pool->waiting[i].task, NONE, 0});
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

static void pool_open(worker_pool *pool, int count)
{
    check(sel_open(SEL_BACKEND_DEFAULT, &pool->sel), "open a selector");
    check(sel_add_signal_handler(pool->sel, SIGCHLD, reap, pool), "watch SIGCHLD");
    check(sel_add_signal_handler(pool->sel, SIGINT, interrupted, pool), "watch SIGINT");
    check(sel_add_signal_handler(pool->sel, SIGTERM, interrupted, pool), "watch SIGTERM");
    pool->count = count;
    for (int i = 0; i < count; i++)
        start_worker(pool, &pool->workers[i]);
    for (int i = 0; i < count; i++)
        check(sel_register(pool->sel, pool->workers[i].fd, SEL_EVENT_READ, result_cb,
                           pool),
              "watch a worker");
}

/* Returns -EINVAL when the pool is closed, -ECHILD when no worker is left. */
static int pool_apply_async(worker_pool *pool, int task, result_callback *callback)
{
    worker *idle = NULL;
    bool left = false;
    for (int i = 0; i < pool->count && idle == NULL; i++) {
        worker *one = &pool->workers[(pool->next + i) % pool->count];
        left |= one->fd >= 0;
        if (one->fd >= 0 && one->task == NONE)
            idle = one;
    }
    if (pool->closed || pool->last == TASKS_MAX || !left)
        return left ? -EINVAL : -ECHILD;
    pool->waiting[pool->last].task = task;
    pool->waiting[pool->last++].callback = callback;
    if (idle != NULL) {
        pool->next = (int)(idle - pool->workers) + 1;
        give_task(pool, idle);
    }
    return 0;
}

static task_result applied;
static bool has_applied;

static void keep_result(task_result result)
{
    applied = result;
    has_applied = true;
}

/* Nothing else happens in this process until the result has come: that is what makes a
   row of them serial. */
static task_result pool_apply(worker_pool *pool, int task)
{
    has_applied = false;
    check(pool_apply_async(pool, task, keep_result), "hand in a task");
    while (!has_applied) {
        check(sel_select(pool->sel, SEL_FOREVER, NULL), "wait");
        check(sel_dispatch(pool->sel), "serve");
    }
    return applied;
}

static void pool_close(worker_pool *pool)
{
    pool->closed = true;
    for (int i = 0; i < pool->count; i++)
        if (pool->workers[i].task == NONE && pool->workers[i].fd >= 0)
            end_worker(pool, &pool->workers[i]);
}

static void pool_join(worker_pool *pool)
{
    if (pool->running > 0)
        check(sel_run(pool->sel), "wait");
    sel_close(pool->sel);
}

static void print_result(const char *how, task_result result)
{
    if (result.value == NONE)
        printf("%s: task %d was lost with its worker\n", how, result.task);
    else
        printf("%s: task %d gave %d, from process %d\n", how, result.task, result.value,
               result.pid);
    lost += result.value == NONE;
    flush_stdout();
}

static void done(task_result result)
{
    print_result("callback", result);
}

int main(int argc, char **argv)
{
    static worker_pool pool;
    int workers = 5, tasks = 10;
    const command_option options[] = {
        {"workers", 'w', "N", "how many processes (5)", .number = &workers, .lowest = 1,
         .highest = WORKERS_MAX},
        {"tasks", 't', "N", "how many tasks, each way (10)", .number = &tasks,
         .lowest = 1, .highest = TASKS_MAX / 2},
        {"seconds", 's', "SECONDS", "how long a task takes (0.1)", .seconds = &seconds},
        {0}};
    read_command_line(argc, argv,
                      "Tasks for a pool of processes, one by one and together.", options);
    printf("main: process %d\n", getpid());
    pool_open(&pool, workers);

    double start = sel_time(pool.sel);
    for (int task = 0; task < tasks; task++)
        print_result("apply", pool_apply(&pool, task));
    double applied_all = sel_time(pool.sel);
    for (int task = 0; task < tasks; task++)
        check(pool_apply_async(&pool, task, done), "hand in a task");
    puts("apply_async: all tasks are handed in");
    pool_close(&pool);
    if (pool_apply_async(&pool, tasks, done) < 0)
        puts("close: no more tasks are taken");
    pool_join(&pool);
    puts("join: all workers have ended");
    printf("apply took %.2f s, apply_async %.2f s\n", applied_all - start,
           sel_time(NULL) - applied_all);
    flush_stdout();
    return lost == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
