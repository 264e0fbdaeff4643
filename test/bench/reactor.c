/* SPDX-License-Identifier: MIT */
/*
 * What a reactor does all day, to be counted from outside, as bench_instructions is: the
 * difference of two runs is what the further COUNT has cost.
 *
 *   bench_reactor CONTENDER WORK COUNT
 *
 *     soon      a call for the next pass, a hundred to a pass and COUNT in all
 *     alone     the same, one to a pass
 *     post      a call from another thread, a hundred to a pass
 *     fire      a timer is armed and runs: all are armed, then all are due
 *     cancel    a timer is armed and cancelled: all are armed first
 *     move      one of many timers is to be due later
 *     renew     the same by cancelling it and arming another
 *
 * Prints the CPU nanoseconds that one took, and how many bytes of the heap a timer holds.
 */
#include "bench.h"
#include "contenders.h"

#include <math.h>
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
    long called;
    char *calls;
    char *timers;
    double timer_bytes;
    sem_t wanted, posted;
} bench;

static void run_passes(long calls)
{
    while (bench.called < calls)
        bench.contender->wait(bench.loop, INFINITY);
}

/* --- calls --- */

static void call_soon(int count, int to_a_pass)
{
    const event_loop *contender = bench.contender;

    for (int calls = to_a_pass; calls <= count; calls += to_a_pass) {
        for (int i = 0; i < to_a_pass; i++)
            contender->soon(bench.loop, bench.calls + (size_t)i * contender->call_size,
                            &bench.called);
        run_passes(calls);
    }
}

static void soon(int count)
{
    call_soon(count, TO_A_PASS);
}

static void alone(int count)
{
    call_soon(count, 1);
}

/* The threads take turns: how many calls meet in a pass is no race's outcome. */
static void *post_all(void *count)
{
    for (int calls = TO_A_PASS; calls <= *(int *)count; calls += TO_A_PASS) {
        sem_wait(&bench.wanted);
        for (int i = 0; i < TO_A_PASS; i++)
            bench.contender->post(bench.loop, &bench.called);
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
    for (int calls = TO_A_PASS; calls <= count; calls += TO_A_PASS) {
        sem_post(&bench.wanted);
        sem_wait(&bench.posted);
        run_passes(calls);
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
    bench.contender->arm(bench.loop, timer_at(i), delay, &bench.called);
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
    run_passes(count);
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

typedef void work(int count);

static work *find_work(const char *name)
{
    static const struct {
        const char *name;
        work *run;
    } works[] = {
        {"soon", soon},     {"alone", alone}, {"post", post},   {"fire", fire},
        {"cancel", cancel}, {"move", move},   {"renew", renew},
    };

    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
        if (strcmp(works[i].name, name) == 0)
            return works[i].run;
    return NULL;
}

/* The process ends with the loop: what is left in it may go with it. */
int main(int argc, char **argv)
{
    work *run = argc == 4 ? find_work(argv[2]) : NULL;
    int64_t start;
    int count;

    bench.contender = argc == 4 ? find_contender(argv[1]) : NULL;
    if (bench.contender == NULL || bench.contender->soon == NULL || run == NULL)
        fail("usage: bench_reactor CONTENDER WORK COUNT");
    count = parse_count(argv[3], 1);
    if (bench.contender->use_threads != NULL && run == post)
        bench.contender->use_threads();
    bench.loop = bench.contender->open(100);
    bench.calls = allocate(TO_A_PASS, bench.contender->call_size);
    start = cpu_ns();
    run(count);
    printf("{\"ns\": %.1f, \"timer_bytes\": %.1f}\n", (double)(cpu_ns() - start) / count,
           bench.timer_bytes);
    return EXIT_SUCCESS;
}
