/* SPDX-License-Identifier: MIT */
/*
 * Tasks for a pool of worker processes: one by one with apply(), which waits for each
 * result, and together with apply_async(), whose callback runs here, in the parent.
 *
 * Without join() the program would end before its results.  docs/twins/pool.py is the
 * same program and the pool in Python; in C the pool is lessons/19_worker_pool.c.
 */
#include "kit/check.h"
#include "kit/command_line.h"
#include "kit/fail.h"
#include "lessons/19_worker_pool.h"

#include <selkie.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* The work: it takes its time. */
static int work(int task, const void *data)
{
    double seconds = *(const double *)data;
    struct timespec left = {(time_t)seconds,
                            (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
    return task + 100;
}

/* Returns whether it was lost. */
static bool print_result(const char *how, task_result result)
{
    bool lost = result.value == NONE;
    if (lost)
        printf("%s: task %d was lost with its worker\n", how, result.task);
    else
        printf("%s: task %d gave %d, from process %d\n", how, result.task, result.value,
               result.pid);
    flush_stdout();
    return lost;
}

static void done(task_result result, void *data)
{
    int *lost = data;
    *lost += print_result("callback", result);
}

int main(int argc, char **argv)
{
    static worker_pool pool;
    int workers = 5, tasks = 10, lost = 0;
    double seconds = 0.1;
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
    pool_open(&pool, workers, work, &seconds);

    double start = sel_time(pool.sel);
    for (int task = 0; task < tasks; task++)
        lost += print_result("apply", pool_apply(&pool, task));
    double applied_all = sel_time(pool.sel);
    for (int task = 0; task < tasks; task++)
        check(pool_apply_async(&pool, task, done, &lost), "hand in a task");
    puts("apply_async: all tasks are handed in");
    pool_close(&pool);
    if (pool_apply_async(&pool, tasks, done, &lost) < 0)
        puts("close: no more tasks are taken");
    pool_join(&pool);
    puts("join: all workers have ended");
    printf("apply took %.2f s, apply_async %.2f s\n", applied_all - start,
           sel_time(NULL) - applied_all);
    flush_stdout();
    return lost == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
