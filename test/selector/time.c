/* SPDX-License-Identifier: MIT */
/*
 * Waits against the clock, with things that could shorten or lengthen them: many waits
 * side by side, a wall clock that is set, news that nobody wants. Signals are in
 * test_alarms.c, a process that is held up in test_preempted.c.
 *
 * Early is judged to the nanosecond. How late a wait is says more about the machine
 * than about the library: it is printed, and judged only where a restarted wait would
 * show.
 */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    WAITS = 2000, /* on all backends together; TEST_WAITS for another count */
    WAITS_OF_A_CHILD = 25,
    CHILDREN = 128, /* at the most */
    SECONDS_IN_A_DAY = 86400
};

static const int64_t microsecond = 1000, millisecond = 1000000, second = 1000000000;

/* How many nanoseconds one wait took; it has nothing to report. */
static int64_t measure(sel_selector *sel, int64_t timeout)
{
    int64_t begin = now_ns();
    int count = sel_select(sel, (double)timeout / 1e9, NULL);
    int64_t elapsed = now_ns() - begin;

    ck_assert_int_eq(count, 0);
    return elapsed;
}

static void assert_not_early(sel_selector *sel, int64_t timeout)
{
    ck_assert_int_ge(measure(sel, timeout), timeout);
}

typedef struct {
    int waits;
    int early;
    int64_t late;
    int64_t latest;
} tally;

static void wait_many_times(int backend, uint64_t seed, int waits, tally *result)
{
    sel_selector *sel = open_selector(backend);
    int silent = make_eventfd(0);

    assert_ok(sel_register(sel, silent, SEL_EVENT_READ, NULL, NULL));
    for (int i = 0; i < waits; i++) {
        int64_t spread = (int64_t)(next_random(&seed) % (uint64_t)(50 * millisecond));
        int64_t timeout = spread < 100 * microsecond ? 100 * microsecond : spread;
        int64_t late = measure(sel, timeout) - timeout;

        result->waits++;
        result->early += late < 0;
        result->late += late;
        if (late > result->latest)
            result->latest = late;
    }
    assert_ok(sel_close(sel));
    close(silent);
}

static int choose_waits(void)
{
    const char *given = getenv("TEST_WAITS");
    int waits = given != NULL ? atoi(given) : WAITS;

    int backends = 0;

    for (int i = first_backend(); i < BACKENDS; i = next_backend(i))
        backends++;
    ck_assert_int_ge(waits, backends);
    return waits / backends;
}

static tally add_up(const tally *results, int children)
{
    tally all = {0, 0, 0, 0};

    for (int i = 0; i < children; i++) {
        all.waits += results[i].waits;
        all.early += results[i].early;
        all.late += results[i].late;
        if (results[i].latest > all.latest)
            all.latest = results[i].latest;
    }
    return all;
}

static void print_lateness(const char *backend, const tally *all)
{
    printf("%s: %d waits, %d early; late by %.3f ms on average, %.3f ms at most\n",
           backend, all->waits, all->early, (double)all->late / all->waits / 1e6,
           (double)all->latest / 1e6);
}

/* Each child writes its own tally, in memory that all of them share. */
static tally *share_tallies(void)
{
    tally *results = mmap(NULL, CHILDREN * sizeof *results, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(results, MAP_FAILED);
    return results;
}

START_TEST(of_many_waits_side_by_side_none_is_early)
{
    uint64_t seed = choose_seed();
    int waits = choose_waits();
    int wanted = waits / WAITS_OF_A_CHILD + 1;
    int children = wanted < CHILDREN ? wanted : CHILDREN;
    tally *results = share_tallies();
    pid_t pids[CHILDREN];
    tally all;

    for (int i = 0; i < children; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] == 0) {
            wait_many_times(_i, seed + (uint64_t)i, (waits + children - 1) / children,
                            &results[i]);
            _exit(0);
        }
    }
    for (int i = 0; i < children; i++)
        assert_child_succeeds(pids[i]);
    all = add_up(results, children);
    print_lateness(backend_names[_i], &all);
    ck_assert_int_ge(all.waits, waits);
    ck_assert_int_eq(all.early, 0);
    munmap(results, CHILDREN * sizeof *results);
}
END_TEST

/*
 * If the kernel counts whole milliseconds, the choice seems to be between early and a
 * busy loop; rounding up is neither. Redis spun for timers of less than a millisecond
 * (redis #8764).
 */
START_TEST(a_wait_of_less_than_a_millisecond_sleeps)
{
    sel_selector *sel = open_selector(_i);
    int silent = make_eventfd(0);
    effort before;

    assert_ok(sel_register(sel, silent, SEL_EVENT_READ, NULL, NULL));
    assert_not_early(sel, 300 * microsecond);
    before = measure_effort();
    for (int i = 0; i < 200; i++)
        assert_not_early(sel, 300 * microsecond);
    assert_no_spin(before, 200);
    ck_assert(has_slept(before));
    assert_not_early(sel, 1);
    assert_ok(sel_close(sel));
    close(silent);
}
END_TEST

/*
 * The descriptor becomes readable after five sixths of the wait and is watched only for
 * writing. select(2) must be asked about both, and returns.
 */
START_TEST(news_that_nobody_wants_leaves_a_wait_its_deadline)
{
    const struct itimerspec soon = {.it_value.tv_nsec = 500 * 1000000};
    sel_selector *sel = open_selector(_i);
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    int64_t elapsed;

    assert_ok(sel_register(sel, fd, SEL_EVENT_WRITE, NULL, NULL));
    ck_assert_int_eq(timerfd_settime(fd, 0, &soon, NULL), 0);
    elapsed = measure(sel, 600 * millisecond);
    ck_assert_int_ge(elapsed, 600 * millisecond);
    ck_assert_int_lt(elapsed, 1000 * millisecond); /* restarted: 1100 */
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

/*
 * A test must not set the machine's wall clock. Instead it is set for this process
 * only: everyone who reads it gets a time a day ahead and a day behind, in turn.
 */
static bool wall_clock_steps;
static int wall_clock_reads;

static bool is_wall_clock(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ||
           clock == CLOCK_TAI;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);

    if (wall_clock_steps && result == 0 && is_wall_clock(clock))
        now->tv_sec += ++wall_clock_reads % 2 ? SECONDS_IN_A_DAY : -SECONDS_IN_A_DAY;
    return result;
}

int gettimeofday(struct timeval *restrict ret_now, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    ret_now->tv_sec = now.tv_sec;
    ret_now->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *ret_now)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (ret_now != NULL)
        *ret_now = now.tv_sec;
    return now.tv_sec;
}

START_TEST(a_wall_clock_that_is_stepped_moves_nothing)
{
    sel_selector *sel = open_selector(_i);
    int silent = make_eventfd(0);

    assert_ok(sel_register(sel, silent, SEL_EVENT_READ, NULL, NULL));
    wall_clock_steps = true;
    ck_assert_int_gt(time(NULL) - time(NULL), SECONDS_IN_A_DAY); /* it is */
    for (int i = 0; i < 10; i++) {
        int64_t elapsed = measure(sel, 10 * millisecond);

        ck_assert_int_ge(elapsed, 10 * millisecond);
        ck_assert_int_lt(elapsed, 10 * second);
    }
    wall_clock_steps = false;
    ck_assert_int_eq(wall_clock_reads, 2);
    assert_ok(sel_close(sel));
    close(silent);
}
END_TEST

static void note_time(sel_selector *sel, void *data)
{
    (void)sel;
    *(int64_t *)data = now_ns();
}

START_TEST(a_wall_clock_that_is_stepped_moves_no_timer)
{
    sel_selector *sel = open_selector(_i);
    int64_t ran = 0;

    wall_clock_steps = true;
    for (int i = 1; i <= 10; i++) {
        int64_t begin = now_ns();

        assert_ok(sel_call_later(sel, i / 1e3, note_time, &ran, NULL));
        assert_ok(sel_call_at(sel, sel_time(sel) + 2 * i / 1e3, note_time, &ran, NULL));
        assert_ok(sel_run(sel));
        ck_assert_int_ge(ran - begin, 2 * i * millisecond);
        ck_assert_int_lt(ran - begin, 10 * second);
    }
    wall_clock_steps = false;
    ck_assert_int_eq(wall_clock_reads, 0);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("time");
    TCase *tcase = new_tcase("time");

    add_backend_test(tcase, of_many_waits_side_by_side_none_is_early);
    add_backend_test(tcase, a_wait_of_less_than_a_millisecond_sleeps);
    add_backend_test(tcase, news_that_nobody_wants_leaves_a_wait_its_deadline);
    add_backend_test(tcase, a_wall_clock_that_is_stepped_moves_nothing);
    if (sel_backend_available(SEL_BACKEND_UV)) /* and so there are timers */
        add_backend_test(tcase, a_wall_clock_that_is_stepped_moves_no_timer);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
