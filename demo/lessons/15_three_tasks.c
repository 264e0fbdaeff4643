/* SPDX-License-Identifier: MIT */
/*
 * Three tasks, each working and waiting in turn, run in three ways: one after another,
 * a thread for each, and events in one thread.  A picture shows who waits when.
 *
 *   #  works   .  waits for something   -  could go on, but it is not its turn
 *
 * Work here is a loop that computes; a wait is time that passes.  Each task writes only
 * its own row of the picture. docs/twins/three_tasks.py is the same program in Python.
 */
#include "kit/check.h"
#include "kit/command_line.h"
#include "kit/fail.h"

#include <selkie.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TASKS = 3, STEPS = 3, COLUMNS = 72 };
static const int WAIT_UNITS[TASKS] = {3, 4, 5}; /* after each step but the last */

typedef struct {
    int number;
    int step;
    struct {
        double due, start, end;
    } steps[STEPS];
} task_record;

static task_record tasks[TASKS];
static double unit = 0.02, began;

static double now(void)
{
    return sel_time(NULL) - began;
}

/* time.thread_time() */
static double thread_time(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* One unit of CPU time: a second thread on the same CPU makes it take longer. */
static void compute(void)
{
    double end = thread_time() + unit;
    while (thread_time() < end)
        continue;
}

/* Returns how long to wait before the next step, or -1 after the last. */
static double do_step(task_record *task, double due)
{
    int step = task->step++;
    task->steps[step].due = due;
    task->steps[step].start = now();
    compute();
    task->steps[step].end = now();
    return task->step < STEPS ? WAIT_UNITS[task->number] * unit : -1;
}

static void sleep_for(double seconds)
{
    struct timespec time = {(time_t)seconds,
                            (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

static void *run_task(void *data)
{
    task_record *task = data;
    double due = 0, wait;
    while ((wait = do_step(task, due)) >= 0) {
        due = now() + wait;
        sleep_for(wait);
    }
    return NULL;
}

static void one_after_another(void)
{
    for (int i = 0; i < TASKS; i++)
        run_task(&tasks[i]);
}

static void threads(void)
{
    pthread_t running[TASKS];
    for (int i = 0; i < TASKS; i++)
        check(-pthread_create(&running[i], NULL, run_task, &tasks[i]), "start a thread");
    for (int i = 0; i < TASKS; i++)
        pthread_join(running[i], NULL);
}

/* A callback does one step and says when the next is due; the loop waits for all. */
static void step_cb(sel_selector *sel, void *data)
{
    task_record *task = data;
    int step = task->step;
    double wait_time = WAIT_UNITS[task->number] * unit;
    double due = step > 0 ? task->steps[step - 1].end + wait_time : 0;
    double wait = do_step(task, due);
    if (wait >= 0)
        check(sel_call_later(sel, wait, step_cb, task, NULL), "set a timer");
}

static void events(void)
{
    sel_selector *sel;
    check(sel_open(SEL_BACKEND_DEFAULT, &sel), "open a selector");
    for (int i = 0; i < TASKS; i++)
        check(sel_call_soon(sel, step_cb, &tasks[i]), "queue a task");
    check(sel_run(sel), "wait"); /* until nothing is left to wait for */
    sel_close(sel);
}

static char state_at(const task_record *task, double when)
{
    for (int i = 0; i < STEPS; i++) {
        if (when < task->steps[i].due)
            return '.';
        if (when < task->steps[i].start)
            return '-';
        if (when < task->steps[i].end)
            return '#';
    }
    return ' ';
}

static void show(const char *how, void (*run)(void))
{
    for (int i = 0; i < TASKS; i++)
        tasks[i] = (task_record){.number = i};
    began = sel_time(NULL);
    run();
    double all = now();
    printf("%s: %.2f s\n", how, all);
    for (int i = 0; i < TASKS; i++) {
        char row[COLUMNS + 1] = "";
        for (int k = 0; k < COLUMNS && (k + 0.5) * unit <= all; k++)
            row[k] = state_at(&tasks[i], (k + 0.5) * unit);
        printf("  task %d |%s|\n", i + 1, row);
    }
    flush_stdout();
}

int main(int argc, char **argv)
{
    const command_option options[] = {{"unit", 'u', "SECONDS",
                                       "how long a step and a column are (0.02)",
                                       .seconds = &unit},
                                      {0}};
    read_command_line(argc, argv, "Three tasks in three ways: who waits when.", options);
    show("one after another", one_after_another);
    show("threads", threads);
    show("events", events);
    return EXIT_SUCCESS;
}
