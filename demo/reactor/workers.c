/* SPDX-License-Identifier: MIT */
/*
 * Work on other threads, with its progress and its results in the loop.
 *
 * Pool threads count primes.  They touch nothing of the loop's: their reports are tasks
 * and results, which run on the loop's thread, so nothing here needs a lock.
 * docs/twins/workers.py is the same program in Python.
 */
#include "kit/check.h"
#include "kit/command_line.h"
#include "kit/fail.h"

#include <selkie.h>

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PARTS = 100 }; /* how often a job reports its progress */
static const double DRAW_SECONDS = 0.1;
static const char erase_line[] = "\r\033[K";

typedef struct {
    int jobs, upto, threads;
    sel_selector *sel;
    atomic_bool stopping; /* the only thing that the threads look at */
    int parts;            /* done, of all jobs */
    int ended, counted;   /* jobs; fewer are counted if some were cancelled */
    int primes;
    bool draws, colour;
    sel_timer drawing;
} work_crew;

typedef struct {
    work_crew *crew;
    int number;
    int first, last;
    int primes; /* -1: cancelled before it began */
} prime_job;

static bool is_prime(int n)
{
    if (n < 4 || n % 2 == 0)
        return n == 2 || n == 3;
    for (int divisor = 3; divisor <= n / divisor; divisor += 2)
        if (n % divisor == 0)
            return false;
    return true;
}

/* Where part i of n begins if the numbers 1 to `size` are divided. */
static int divide(int size, int i, int n)
{
    return (int)((int64_t)size * i / n) + 1;
}

static void part_done(sel_selector *sel, void *data)
{
    (void)sel;
    ((work_crew *)data)->parts++;
}

/* On a pool thread.  It does not matter if a report is lost because memory has run out. */
static void count_primes(void *data)
{
    prime_job *job = data;
    if (atomic_load(&job->crew->stopping))
        return;
    int size = job->last - job->first + 1;
    int n = job->first;
    int primes = 0;
    for (int part = 1; part <= PARTS; part++) {
        for (int end = job->first - 1 + divide(size, part, PARTS); n < end; n++)
            primes += is_prime(n);
        sel_call_soon_threadsafe(job->crew->sel, part_done, job->crew);
    }
    job->primes = primes;
}

static void draw(sel_selector *sel, void *data)
{
    (void)sel;
    const work_crew *crew = data;
    int percent = (int)(INT64_C(100) * crew->parts / ((int64_t)PARTS * crew->jobs));
    fprintf(stderr, "%s%s%3d %%%s  %d of %d jobs", erase_line,
            crew->colour ? "\033[1;32m" : "", percent, crew->colour ? "\033[0m" : "",
            crew->ended, crew->jobs);
}

/* After this, a second Ctrl-C ends the program as it ends any other. */
static void forget_signals(sel_selector *sel)
{
    sel_remove_signal_handler(sel, SIGINT);
    sel_remove_signal_handler(sel, SIGTERM);
}

/* SIGINT, SIGTERM: jobs that have not started are cancelled, running ones are waited for. */
static void stop(sel_selector *sel, void *data)
{
    work_crew *crew = data;
    atomic_store(&crew->stopping, true);
    forget_signals(sel);
}

static void print_result(work_crew *crew, const prime_job *job)
{
    if (crew->draws)
        fputs(erase_line, stderr);
    if (job->primes < 0)
        printf("job %d: cancelled\n", job->number);
    else
        printf("job %d: %d primes from %d to %d\n", job->number, job->primes,
               job->first, job->last);
    flush_stdout();
}

static void job_done(sel_selector *sel, void *data, int status)
{
    (void)status; /* nothing here closes a selector that still has work */
    prime_job *job = data;
    work_crew *crew = job->crew;
    if (job->primes >= 0) {
        crew->counted++;
        crew->primes += job->primes;
    }
    print_result(crew, job);
    if (++crew->ended == crew->jobs) {
        sel_cancel(sel, crew->drawing);
        forget_signals(sel);
    }
}

static void start(sel_selector *sel, work_crew *crew, prime_job *jobs)
{
    char threads[16];
    snprintf(threads, sizeof threads, "%d", crew->threads);
    setenv("UV_THREADPOOL_SIZE", threads, 1); /* read when the first job is submitted */
    check(sel_add_signal_handler(sel, SIGINT, stop, crew), "watch SIGINT");
    check(sel_add_signal_handler(sel, SIGTERM, stop, crew), "watch SIGTERM");
    if (crew->draws)
        check(sel_call_every(sel, DRAW_SECONDS, draw, crew, &crew->drawing), "draw");
    for (int i = 0; i < crew->jobs; i++) {
        jobs[i] = (prime_job){.crew = crew,
                        .number = i + 1,
                        .first = divide(crew->upto, i, crew->jobs),
                        .last = divide(crew->upto, i + 1, crew->jobs) - 1,
                        .primes = -1};
        check(sel_run_in_executor(sel, count_primes, job_done, &jobs[i]), "start a job");
    }
}

static void print_sum(const work_crew *crew)
{
    if (crew->counted == crew->jobs)
        printf("%d primes up to %d\n", crew->primes, crew->upto);
    else
        printf("stopped: %d of %d jobs counted\n", crew->counted, crew->jobs);
    flush_stdout();
}

int main(int argc, char **argv)
{
    work_crew crew = {.jobs = 8, .upto = 2000000, .threads = 4};
    const command_option options[] = {
        {"jobs", 'j', "N", "how many jobs (8)", .number = &crew.jobs, .lowest = 1,
         .highest = 1000},
        {"upto", 'u', "N", "count the primes up to N (2000000)", .number = &crew.upto,
         .lowest = 1000, .highest = 9999999},
        {"threads", 't', "N", "how many threads (4)", .number = &crew.threads,
         .lowest = 1, .highest = 64},
        {0}};
    read_command_line(argc, argv, "Count primes on several threads.", options);
    const char *no_color = getenv("NO_COLOR");
    crew.draws = isatty(STDERR_FILENO);
    crew.colour = no_color == NULL || *no_color == '\0';
    prime_job *jobs = calloc((size_t)crew.jobs, sizeof *jobs);
    if (jobs == NULL)
        fail(EXIT_FAILURE, "no memory");
    check(sel_open(SEL_BACKEND_DEFAULT, &crew.sel), "open a selector");
    start(crew.sel, &crew, jobs);

    check(sel_run(crew.sel), "wait"); /* until the last job is done */

    print_sum(&crew);
    sel_close(crew.sel);
    free(jobs);
    return EXIT_SUCCESS;
}
