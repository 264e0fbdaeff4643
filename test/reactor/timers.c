/* SPDX-License-Identifier: MIT */
/*
 * When timers run: never early, in the order of their due times, those due at the same
 * time in the order they were made, and all of it to the nanosecond.
 *
 * A due time in the middle of a nanosecond leaves no doubt about which one it is
 * rounded up to.
 */
#include "support/journal.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const int64_t millisecond = 1000000, second = 1000000000;

/* --- none is early --- */

typedef struct {
    int64_t due; /* or later */
    int *left;
} appointment;

static void assert_not_early(sel_selector *sel, void *data)
{
    const appointment *kept = data;

    (void)sel;
    ck_assert_int_ge(now_ns(), kept->due);
    --*kept->left;
}

START_TEST(no_timer_runs_before_its_nanosecond)
{
    enum { TIMERS = 400 };
    sel_selector *sel = open_selector(_i);
    uint64_t seed = choose_seed();
    appointment made[TIMERS];
    int left = TIMERS;

    for (int i = 0; i < TIMERS; i++) {
        int64_t delay = (int64_t)(next_random(&seed) % 30000000);

        if (i % 50 == 0)
            work_for(2 * millisecond);
        made[i] = (appointment){.left = &left, .due = now_ns() + delay};
        assert_ok(sel_call_later(sel, (double)delay / 1e9, assert_not_early, &made[i], NULL));
    }
    assert_ok(sel_run(sel));
    ck_assert_int_eq(left, 0);
    assert_ok(sel_close(sel));
}
END_TEST

static void make_one_after_work(sel_selector *sel, void *data)
{
    appointment *later = data;

    work_for(20 * millisecond);
    later->due = now_ns() + 15 * millisecond;
    assert_ok(sel_call_later(sel, 0.015, assert_not_early, later, NULL));
}

/* A loop's clock that stands still while a callback works would make timers early. */
START_TEST(work_before_a_timer_is_made_does_not_make_it_early)
{
    sel_selector *sel = open_selector(_i);

    for (int origin = 0; origin < count_origins(); origin++) {
        int left = 1;
        appointment later = {.left = &left};

        call_from(sel, origin, make_one_after_work, &later);
        assert_ok(sel_run(sel));
        ck_assert_int_eq(left, 0);
    }
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_wait_goes_on_until_the_next_timer_and_no_longer_than_its_timeout)
{
    sel_selector *sel = open_selector(_i);
    int64_t start = now_ns();

    assert_ok(sel_call_later(sel, 0.03, note, "t", NULL));
    ck_assert_int_eq(sel_select(sel, 0.01, NULL), 0);
    ck_assert_int_ge(now_ns() - start, 10 * millisecond);
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    ck_assert_int_ge(now_ns() - start, 30 * millisecond);
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0); /* still to be run */
    ck_assert_int_eq(sel_dispatch(sel), 1);
    assert_noted("t");
    assert_quiet(sel, 0.01);
    assert_ok(sel_close(sel));
}
END_TEST

/* Rounded down, a timer of less than a millisecond spins (redis #8764). */
START_TEST(timers_of_less_than_a_millisecond_do_not_spin)
{
    sel_selector *sel = open_selector(_i);
    effort before;

    assert_ok(sel_call_later(sel, 0.0003, note, "", NULL));
    ck_assert_int_eq(wait_and_pass(sel), 1);
    before = measure_effort();
    for (int i = 0; i < 100; i++) {
        assert_ok(sel_call_later(sel, 0.0003, note, "", NULL));
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        ck_assert_int_eq(sel_dispatch(sel), 1); /* the first return is the due one */
    }
    assert_no_spin(before, 100);
    ck_assert(has_slept(before));
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(get_timeout_says_how_long_it_is_to_the_next_timer)
{
    sel_selector *sel = open_selector(_i);
    sel_timer soon, late;

    assert_ok(sel_call_later(sel, 3600, never, NULL, &late));
    assert_ok(sel_call_later(sel, 60, never, NULL, &soon));
    ck_assert_double_gt(sel_get_timeout(sel), 50);
    ck_assert_double_le(sel_get_timeout(sel), 60.002);
    assert_ok(sel_cancel(sel, soon));
    ck_assert_double_gt(sel_get_timeout(sel), 3000);
    assert_ok(sel_cancel(sel, late));
    ck_assert_double_eq(sel_get_timeout(sel), SEL_FOREVER);
    assert_ok(sel_call_later(sel, 0, note, "t", NULL));
    ck_assert_double_eq(sel_get_timeout(sel), 0);
    ck_assert_int_eq(pass(sel), 1);
    assert_noted("t");
    ck_assert_double_eq(sel_get_timeout(sel), SEL_FOREVER);
    assert_ok(sel_close(sel));
}
END_TEST

/* --- in order --- */

START_TEST(timers_run_in_the_order_of_their_due_times)
{
    sel_selector *sel = open_selector(_i);
    double base = sel_time(sel) + 0.02, now;

    assert_ok(sel_call_at(sel, base + 0.004, note, "5", NULL));
    assert_ok(sel_call_at(sel, base + 0.001, note, "2", NULL));
    assert_ok(sel_call_at(sel, base + 0.002, note, "3", NULL));
    assert_ok(sel_call_at(sel, base, note, "1", NULL));
    assert_ok(sel_call_at(sel, base + 0.003, note, "4", NULL));
    assert_ok(sel_run(sel));
    assert_noted("12345");
    now = sel_time(sel);
    assert_ok(sel_call_later(sel, 0.02, note, "3", NULL)); /* not before now + 0.02 */
    assert_ok(sel_call_at(sel, now + 0.01, note, "2", NULL));
    assert_ok(sel_call_at(sel, now + 0.001, note, "1", NULL));
    work_for(40 * millisecond); /* all are due when they are looked at */
    ck_assert_int_eq(pass(sel), 3);
    assert_noted("123");
    assert_ok(sel_close(sel));
}
END_TEST

/*
 * They used to be due at whole milliseconds, and those of the same millisecond ran in
 * the order they were made.
 */
START_TEST(due_times_a_nanosecond_apart_are_different_ones)
{
    static char *const names[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    sel_selector *sel = open_selector(_i);
    double now;

    for (int i = 0; i < 10; i++) {
        int k = i * 7 % 10;

        assert_ok(sel_call_at(sel, (1000 + k - 0.5) / 1e9, note, names[k], NULL));
    }
    ck_assert_int_eq(pass(sel), 10);
    assert_noted("0123456789");
    now = sel_time(sel);
    assert_ok(sel_call_at(sel, now + 0.001000080, note, "3", NULL));
    assert_ok(sel_call_at(sel, now + 0.001000040, note, "2", NULL));
    assert_ok(sel_call_at(sel, now + 0.001000000, note, "1", NULL));
    assert_ok(sel_run(sel));
    assert_noted("123");
    assert_ok(sel_close(sel));
}
END_TEST

/*
 * A machine may have been up for only a minute, so an hour ago is before its clock's
 * zero; half of the time since then is not.
 */
START_TEST(times_that_have_passed_run_in_their_order_in_the_next_pass)
{
    sel_selector *sel = open_selector(_i);
    double base = sel_time(sel) - 0.05;

    for (int round = 0; round < 2; round++) {
        assert_ok(sel_call_at(sel, base, note, "5", NULL));
        assert_ok(sel_call_later(sel, 0, note, "7", NULL));
        assert_ok(sel_call_at(sel, base - 0.003, note, "3", NULL));
        assert_ok(sel_call_at(sel, base / 2, note, "2", NULL));
        assert_ok(sel_call_at(sel, base - 0.001, note, "4", NULL));
        assert_ok(sel_call_at(sel, -5, note, "c", NULL));
        assert_ok(sel_call_at(sel, -5.25, note, "b", NULL));
        assert_ok(sel_call_at(sel, -1e9, note, "a", NULL));
        assert_ok(sel_call_at(sel, -HUGE_VAL, note, "1", NULL));
        assert_ok(sel_call_at(sel, base + 0.001, note, "6", NULL));
        ck_assert_int_eq(pass(sel), 10);
        assert_noted("1abc234567");
    }
    assert_ok(sel_close(sel));
}
END_TEST

/* Converted to seconds, it may be a nanosecond more. */
START_TEST(a_time_that_has_just_passed_ends_the_next_wait)
{
    sel_selector *sel = open_selector(_i);

    for (int i = 0; i < 100; i++) {
        assert_ok(sel_call_at(sel, sel_time(sel), note, "t", NULL));
        ck_assert_double_lt(sel_get_timeout(sel), 1e-7);
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        ck_assert_int_eq(sel_dispatch(sel), 1);
        assert_noted("t");
    }
    assert_ok(sel_close(sel));
}
END_TEST

static int next_expected;

static void assert_next(sel_selector *sel, void *data)
{
    (void)sel;
    ck_assert_int_eq((intptr_t)data, next_expected);
    next_expected++;
}

/* Heaps do not keep the order of equals. */
START_TEST(ten_thousand_of_one_due_time_run_in_the_order_they_were_made)
{
    enum { TIMERS = 10000 };
    sel_selector *sel = open_selector(_i);
    double past = sel_time(sel) - 0.005, future = past + 0.1;

    next_expected = 0;
    for (intptr_t i = 0; i < TIMERS; i++)
        assert_ok(sel_call_at(sel, past, assert_next, (void *)i, NULL));
    ck_assert_int_eq(pass(sel), TIMERS);
    for (intptr_t i = TIMERS; i < 2 * TIMERS; i++)
        assert_ok(sel_call_at(sel, future, assert_next, (void *)i, NULL));
    assert_ok(sel_run(sel));
    ck_assert_int_eq(next_expected, 2 * TIMERS);
    assert_ok(sel_close(sel));
}
END_TEST

/* --- very late --- */

START_TEST(huge_and_endless_delays_do_not_overflow)
{
    static const double delays[] = {1e7, 1e10, 1e18, 1e300, DBL_MAX, HUGE_VAL};
    sel_selector *sel = open_selector(_i);
    int64_t start = now_ns();
    double timeout;

    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        assert_ok(sel_call_later(sel, delays[i], never, NULL, NULL));
        assert_ok(sel_call_at(sel, sel_time(sel) + delays[i], never, NULL, NULL));
        assert_ok(sel_call_every(sel, delays[i], never, NULL, NULL));
    }
    timeout = sel_get_timeout(sel);
    ck_assert_double_gt(timeout, 1e6); /* or in parts of INT_MAX milliseconds */
    ck_assert_double_le(timeout, 1e7 + 1);
    assert_quiet(sel, 0.03);
    assert_ok(sel_call_later(sel, 0.05, stop, NULL, NULL));
    assert_ok(sel_run(sel));
    ck_assert_int_ge(now_ns() - start, 80 * millisecond);
    ck_assert_int_lt(now_ns() - start, 30 * second);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timers");
    TCase *tcase = new_tcase("timers");

    add_backend_test(tcase, no_timer_runs_before_its_nanosecond);
    add_backend_test(tcase, work_before_a_timer_is_made_does_not_make_it_early);
    add_backend_test(tcase,
                     a_wait_goes_on_until_the_next_timer_and_no_longer_than_its_timeout);
    add_backend_test(tcase, timers_of_less_than_a_millisecond_do_not_spin);
    add_backend_test(tcase, get_timeout_says_how_long_it_is_to_the_next_timer);
    add_backend_test(tcase, timers_run_in_the_order_of_their_due_times);
    add_backend_test(tcase, due_times_a_nanosecond_apart_are_different_ones);
    add_backend_test(tcase, times_that_have_passed_run_in_their_order_in_the_next_pass);
    add_backend_test(tcase, a_time_that_has_just_passed_ends_the_next_wait);
    add_backend_test(tcase, ten_thousand_of_one_due_time_run_in_the_order_they_were_made);
    add_backend_test(tcase, huge_and_endless_delays_do_not_overflow);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
