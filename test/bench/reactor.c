/* SPDX-License-Identifier: MIT */
/*
 * What a reactor does all day, to be counted from outside, as bench_instructions is: the
 * difference of two runs is what the further COUNT has cost. The loop goes round by
 * itself, where bench_instructions has it wait once and again.
 *
 *   bench_reactor CONTENDER WORK COUNT
 *
 *     soon      a call for the next pass, a hundred to a pass and COUNT in all
 *     alone     the same, one to a pass, queued by the one before
 *     post      a call from another thread, a hundred to a pass
 *     fire      a timer is armed and runs: all are armed, then all are due
 *     cancel    a timer is armed and cancelled: all are armed first
 *     move      one of many timers is to be due later
 *     renew     the same by cancelling it and arming another
 *     nothing   a pass that finds one ready descriptor
 *     timer     the same, with a timer that is not due
 *     services  the same, with a signal's handler and a pool that has done a job, too
 *
 * Prints the CPU nanoseconds that one took, and how many bytes of the heap a timer holds.
 */
#include "bench.h"
#include "contenders.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TO_A_PASS = 100,
    TIMEOUTS = 10000, /* of connections: those of which one is moved */
    ALL_ARE_DUE = 1,  /* seconds */
    AN_HOUR = 3600,
};

static struct {
    const event_loop *contender;
    void *loop;
    long awaited;
    char *queue; /* what a loop needs of memory for a pass's calls */
    char *timers;
    double timer_bytes;
    sem_t wanted, posted;
} bench;

/* Let the loop go round until it has made so many calls. */
static void run(int count)
{
    bench.awaited = count;
    bench.contender->run(bench.loop);
    if (bench.awaited != 0)
        fail("%s left %ld of %d calls unmade", bench.contender->name, bench.awaited, count);
}

/* --- calls --- */

static void soon(int count)
{
    const event_loop *contender = bench.contender;

    for (int called = 0; called < count; called += TO_A_PASS) {
        for (int i = 0; i < TO_A_PASS; i++)
            contender->soon(bench.loop, bench.queue + (size_t)i * contender->call_size,
                            &bench.awaited);
        run(TO_A_PASS);
    }
}

static void alone(int count)
{
    bench.contender->each_pass(bench.loop, bench.queue, &bench.awaited);
    run(count);
}

/* The threads take turns: how many calls meet in a pass is no race's outcome. */
static void *post_all(void *count)
{
    for (int called = 0; called < *(int *)count; called += TO_A_PASS) {
        sem_wait(&bench.wanted);
        for (int i = 0; i < TO_A_PASS; i++)
            bench.contender->post(bench.loop, &bench.awaited);
        sem_post(&bench.posted);
    }
    return NULL;
}

static void post(int count)
{
    pthread_t thread;

    sem_init(&bench.wanted, 0, 0);
    sem_init(&bench.posted, 0, 0);
    if (pthread_create(&thread, NULL, post_all, &count) != 0)
        fail("pthread_create failed");
    for (int called = 0; called < count; called += TO_A_PASS) {
        sem_post(&bench.wanted);
        sem_wait(&bench.posted);
        run(TO_A_PASS);
    }
    pthread_join(thread, NULL);
}

/* --- timers --- */

static double random_delay(int most)
{
    static uint32_t state;

    state = state * 1664525 + 1013904223;
    return state / 4294967296.0 * most;
}

static double soon_due(int unused)
{
    (void)unused;
    return random_delay(ALL_ARE_DUE);
}

static double within_the_hour(int unused)
{
    (void)unused;
    return random_delay(AN_HOUR);
}

/* A connection's, which begins anew whenever something happens there. */
static double timeout_of(int i)
{
    return AN_HOUR + i % 60;
}

static void *timer_at(int i)
{
    return bench.timers + (size_t)i * bench.contender->timer_size;
}

static void arm(int i, double delay)
{
    bench.contender->arm(bench.loop, timer_at(i), delay, &bench.awaited);
}

static void arm_all(int count, double (*delay)(int i))
{
    size_t before;

    bench.timers = allocate((size_t)count, bench.contender->timer_size);
    before = heap_in_use();
    for (int i = 0; i < count; i++)
        arm(i, delay(i));
    bench.timer_bytes = (double)(heap_in_use() - before) / count;
    if (!bench.contender->timer_is_handle)
        bench.timer_bytes += (double)bench.contender->timer_size;
}

static void fire(int count)
{
    arm_all(count, soon_due);
    sleep(ALL_ARE_DUE + 1);
    run(count);
}

static void cancel(int count)
{
    arm_all(count, within_the_hour);
    for (int i = 0; i < count; i++)
        bench.contender->cancel(bench.loop, timer_at(i));
}

/* Which of the many has something happen. */
static int active(int i)
{
    return i % TIMEOUTS * 7919 % TIMEOUTS;
}

static void move(int count)
{
    arm_all(TIMEOUTS, timeout_of);
    for (int i = 0; i < count; i++)
        bench.contender->move(bench.loop, timer_at(active(i)), timeout_of(active(i)));
}

static void renew(int count)
{
    arm_all(TIMEOUTS, timeout_of);
    for (int i = 0; i < count; i++) {
        bench.contender->cancel(bench.loop, timer_at(active(i)));
        arm(active(i), timeout_of(active(i)));
    }
}

/* --- passes --- */

static void on_ready(watcher *unused, int events)
{
    (void)unused;
    (void)events;
    if (was_last(&bench.awaited))
        bench.contender->stop(bench.loop);
}

static void nothing(int count)
{
    watcher *watch = allocate(1, sizeof *watch);

    *watch = (watcher){.fd = *open_ready_descriptors(SOCKETPAIR, 1), .ready = on_ready};
    bench.contender->add(bench.loop, watch, WATCH_READ);
    run(count);
}

static void timer(int count)
{
    arm_all(1, timeout_of);
    nothing(count);
}

static void services(int count)
{
    bench.contender->add_services(bench.loop, &bench.awaited);
    run(1);
    timer(count);
}

typedef void work(int count);

static work *find_work(const char *name)
{
    static const struct {
        const char *name;
        work *run;
    } works[] = {
        {"soon", soon},         {"alone", alone},     {"post", post},
        {"fire", fire},         {"cancel", cancel},   {"move", move},
        {"renew", renew},       {"nothing", nothing}, {"timer", timer},
        {"services", services},
    };

    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
        if (strcmp(works[i].name, name) == 0)
            return works[i].run;
    return NULL;
}

/* The process ends with the loop: what is left in it may go with it. */
int main(int argc, char **argv)
{
    work *wanted = argc == 4 ? find_work(argv[2]) : NULL;
    int64_t start;
    int count;

    bench.contender = argc == 4 ? find_contender(argv[1]) : NULL;
    if (bench.contender == NULL || bench.contender->run == NULL || wanted == NULL)
        fail("usage: bench_reactor CONTENDER WORK COUNT");
    count = parse_count(argv[3], 1);
    if (bench.contender->use_threads != NULL && wanted == post)
        bench.contender->use_threads();
    bench.loop = bench.contender->open(100);
    bench.queue = allocate(TO_A_PASS, bench.contender->call_size);
    start = cpu_ns();
    wanted(count);
    printf("{\"ns\": %.1f, \"timer_bytes\": %.1f}\n", (double)(cpu_ns() - start) / count,
           bench.timer_bytes);
    return EXIT_SUCCESS;
}
