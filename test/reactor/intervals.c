/* SPDX-License-Identifier: MIT */
/*
 * sel_call_every(): run n is never before start + n * interval, and missed runs are not
 * made up for all at once.
 */
#include "support/journal.h"

#include <errno.h>
#include <float.h>
#include <unistd.h>

static const int64_t millisecond = 1000000;

/* The start that the library used is between two readings of the clock. */
typedef struct {
    int64_t start;
    int64_t start_at_most;
    int64_t interval;
    int64_t earliest; /* next run */
    int64_t work;     /* in each run */
    int runs;
    int wanted;
} ticker;

static void expect_next(ticker *clock)
{
    int64_t gone = (now_ns() - clock->start_at_most) / clock->interval;

    clock->earliest = clock->start + (gone + 1) * clock->interval;
}

static void tick(sel_selector *sel, void *data)
{
    ticker *clock = data;

    ck_assert_int_ge(now_ns(), clock->earliest);
    work_for(clock->work);
    expect_next(clock);
    if (++clock->runs == clock->wanted)
        sel_stop(sel);
}

static void run_ticker(sel_selector *sel, ticker clock)
{
    sel_timer timer;

    clock.start = now_ns();
    assert_ok(sel_call_every(sel, (double)clock.interval / 1e9, tick, &clock, &timer));
    clock.start_at_most = now_ns();
    clock.earliest = clock.start + clock.interval;
    assert_ok(sel_run(sel));
    ck_assert_int_eq(clock.runs, clock.wanted);
    ck_assert_int_ge(now_ns() - clock.start, clock.wanted * clock.interval);
    assert_ok(sel_cancel(sel, timer));
    assert_error(sel_cancel(sel, timer), ENOENT);
}

START_TEST(run_n_is_not_before_n_intervals)
{
    sel_selector *sel = open_selector(_i);

    run_ticker(sel, (ticker){.interval = millisecond, .wanted = 40});
    run_ticker(sel, (ticker){.interval = 2500000, .wanted = 20});
    run_ticker(sel, (ticker){.interval = 3333333, .wanted = 20, .work = millisecond});
    run_ticker(sel, (ticker){.interval = 40 * millisecond, .wanted = 1});
    assert_ok(sel_close(sel));
}
END_TEST

/* Each run takes longer than the interval. */
START_TEST(runs_that_were_missed_are_skipped)
{
    sel_selector *sel = open_selector(_i);

    run_ticker(sel, (ticker){.interval = 2 * millisecond, .work = 5 * millisecond,
                             .wanted = 8});
    run_ticker(sel, (ticker){.interval = 4 * millisecond, .work = 50 * millisecond,
                             .wanted = 5});
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(what_a_busy_program_misses_is_one_run)
{
    sel_selector *sel = open_selector(_i);
    int runs = 0;

    assert_ok(sel_call_every(sel, 0.001, count_task, &runs, NULL));
    for (int i = 1; i <= 5; i++) {
        work_for(20 * millisecond);
        ck_assert_int_eq(pass(sel), 1);
        ck_assert_int_eq(runs, i);
    }
    assert_ok(sel_close(sel));
}
END_TEST

static int64_t rounds_of(sel_selector *sel, double interval, int *ret_runs)
{
    int64_t start = now_ns();
    sel_timer timer;

    *ret_runs = 0;
    assert_ok(sel_call_every(sel, interval, count_task, ret_runs, &timer));
    while (*ret_runs < 30)
        ck_assert_int_eq(wait_and_pass(sel), 1);
    assert_ok(sel_cancel(sel, timer));
    return now_ns() - start;
}

/* Less than a nanosecond counts as one: this timer runs in every pass. */
START_TEST(the_smallest_interval_neither_ends_nor_spins)
{
    static const double intervals[] = {0.0003, 1e-9, 1e-300, DBL_MIN, DBL_TRUE_MIN};
    sel_selector *sel = open_selector(_i);

    for (size_t i = 0; i < sizeof intervals / sizeof intervals[0]; i++) {
        effort before;
        int runs;

        rounds_of(sel, 1e-9, &runs); /* what comes first costs more */
        before = measure_effort();
        ck_assert_int_ge(rounds_of(sel, intervals[i], &runs), (int64_t)(30e9 * intervals[i]));
        assert_no_spin(before, 30);
    }
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(an_endless_interval_never_comes_and_keeps_the_run_going)
{
    sel_selector *sel = open_selector(_i);
    sel_timer timer;

    assert_ok(sel_call_every(sel, SEL_FOREVER, never, NULL, &timer));
    assert_quiet(sel, 0.01);
    assert_ok(sel_call_later(sel, 0.02, stop, NULL, NULL));
    assert_ok(sel_run(sel));
    assert_ok(sel_cancel(sel, timer));
    assert_ok(sel_run(sel));
    assert_ok(sel_close(sel));
}
END_TEST

/* Together with timers that run once. */
START_TEST(intervals_run_in_the_order_of_their_due_times)
{
    sel_selector *sel = open_selector(_i);
    double now = sel_time(sel);

    assert_ok(sel_call_every(sel, 0.03, note, "3", NULL)); /* not before now + 0.03 */
    assert_ok(sel_call_every(sel, 0.03, note, "4", NULL));
    assert_ok(sel_call_every(sel, 0.04, note, "5", NULL));
    assert_ok(sel_call_at(sel, now + 0.02, note, "2", NULL));
    assert_ok(sel_call_at(sel, now + 0.01, note, "1", NULL));
    work_for(60 * millisecond);
    ck_assert_int_eq(pass(sel), 5);
    assert_noted("12345");
    assert_ok(sel_close(sel));
}
END_TEST

typedef struct {
    sel_timer timer;
    int runs;
} changing;

static void change_pace(sel_selector *sel, void *data)
{
    changing *it = data;

    if (++it->runs % 3 != 0)
        return;
    assert_ok(sel_cancel(sel, it->timer));
    if (it->runs < 9)
        assert_ok(sel_call_every(sel, 0.002, change_pace, it, &it->timer));
}

/*
 * asyncio has no call_every: programs that want another interval cancel the timer and
 * make a new one.
 */
START_TEST(a_repeating_timer_can_replace_itself)
{
    sel_selector *sel = open_selector(_i);
    changing it = {.runs = 0};

    assert_ok(sel_call_every(sel, 0.001, change_pace, &it, &it.timer));
    assert_ok(sel_run(sel));
    ck_assert_int_eq(it.runs, 9);
    assert_error(sel_cancel(sel, it.timer), ENOENT);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("intervals");
    TCase *tcase = new_tcase("intervals");

    add_backend_test(tcase, run_n_is_not_before_n_intervals);
    add_backend_test(tcase, runs_that_were_missed_are_skipped);
    add_backend_test(tcase, what_a_busy_program_misses_is_one_run);
    add_backend_test(tcase, the_smallest_interval_neither_ends_nor_spins);
    add_backend_test(tcase, an_endless_interval_never_comes_and_keeps_the_run_going);
    add_backend_test(tcase, intervals_run_in_the_order_of_their_due_times);
    add_backend_test(tcase, a_repeating_timer_can_replace_itself);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
