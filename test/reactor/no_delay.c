/* SPDX-License-Identifier: MIT */
/*
 * Timers without delay belong to the next pass, wherever they are made, and run after
 * its tasks and pairs.
 */
#include "support/journal.h"

#include <math.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ };

START_TEST(a_negative_delay_is_that_much_earlier)
{
    sel_selector *sel = open_selector(_i);

    assert_ok(sel_call_later(sel, 0, note, "6", NULL));
    assert_ok(sel_call_later(sel, -0.5, note, "5", NULL));
    assert_ok(sel_call_later(sel, -1, note, "4", NULL));
    assert_ok(sel_call_later(sel, -1e9, note, "2", NULL));
    assert_ok(sel_call_later(sel, -HUGE_VAL, note, "1", NULL));
    assert_ok(sel_call_later(sel, -1e6, note, "3", NULL));
    ck_assert_int_eq(pass(sel), 6);
    assert_noted("123456");
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(no_delay_is_the_next_pass)
{
    static const double delays[] = {0, -1e-9, -1, -1e300, -HUGE_VAL};
    sel_selector *sel = open_selector(_i);

    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        assert_ok(sel_call_later(sel, delays[i], note, "t", NULL));
        ck_assert_double_eq(sel_get_timeout(sel), 0);
        for (int again = 0; again < 2; again++)
            ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        ck_assert_int_eq(sel_dispatch(sel), 1);
        ck_assert_int_eq(sel_dispatch(sel), 0);
        assert_noted("t");
    }
    assert_ok(sel_close(sel));
}
END_TEST

/* Like a task of sel_call_soon(). */
START_TEST(no_delay_needs_no_wait_before_a_dispatch)
{
    sel_selector *sel = open_selector(_i);

    assert_ok(sel_call_later(sel, 0, note, "t", NULL));
    assert_ok(sel_call_soon(sel, note, "a"));
    ck_assert_int_eq(sel_dispatch(sel), 2);
    assert_noted("at");
    assert_ok(sel_close(sel));
}
END_TEST

static void make_more(sel_selector *sel, void *unused)
{
    (void)unused;
    assert_ok(sel_call_later(sel, 0, note, "3", NULL));
    assert_ok(sel_call_later(sel, -5, note, "2", NULL));
    assert_ok(sel_call_at(sel, -1e9, note, "1", NULL));
}

START_TEST(no_delay_inside_a_callback_is_the_next_pass_too)
{
    sel_selector *sel = open_selector(_i);

    for (int origin = 0; origin < count_origins(); origin++) {
        call_from(sel, origin, make_more, NULL);
        assert_noted("");
        ck_assert_int_eq(pass(sel), 3);
        assert_noted("123");
    }
    assert_ok(sel_close(sel));
}
END_TEST

/* After the tasks and the pairs of its pass, and no later. */
START_TEST(a_task_that_can_be_cancelled_is_a_timer_without_delay)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(1);
    sel_timer cancelled;

    assert_ok(sel_call_later(sel, 0, note, "t", NULL));
    assert_ok(sel_call_later(sel, 0, never, NULL, &cancelled));
    assert_ok(sel_call_later(sel, 0, note, "u", NULL));
    assert_ok(sel_register(sel, fd, READ, note_ready, "k"));
    assert_ok(sel_call_soon(sel, note, "a"));
    assert_ok(sel_call_soon_threadsafe(sel, note, "b"));
    assert_ok(sel_cancel(sel, cancelled));
    ck_assert_int_eq(pass(sel), 5);
    assert_noted("abktu");
    ck_assert_int_eq(pass(sel), 1);
    assert_noted("k");
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

static void make_due_and_work(sel_selector *sel, void *until)
{
    note(sel, "1");
    assert_ok(sel_call_later(sel, -0.001, note, "3", NULL));
    assert_ok(sel_call_later(sel, 0, note, "4", NULL));
    while (sel_time(sel) <= *(double *)until)
        continue;
}

START_TEST(what_a_timers_task_makes_due_runs_in_the_next_pass)
{
    sel_selector *sel = open_selector(_i);
    double while_that_works = sel_time(sel) + 0.1;

    assert_ok(sel_call_later(sel, 0, make_due_and_work, &while_that_works, NULL));
    assert_ok(sel_call_later(sel, 0, note, "2", NULL));
    assert_ok(sel_call_at(sel, while_that_works, note, "5", NULL));
    ck_assert_int_eq(pass(sel), 2);
    assert_noted("12");
    ck_assert_double_eq(sel_get_timeout(sel), 0);
    ck_assert_int_eq(pass(sel), 3);
    assert_noted("345");
    assert_ok(sel_close(sel));
}
END_TEST

static void arm_again(sel_selector *sel, void *data)
{
    ++*(int *)data;
    assert_ok(sel_call_later(sel, 0, arm_again, data, NULL));
}

START_TEST(a_timer_that_arms_itself_again_without_delay_starves_nothing)
{
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    int fd = make_eventfd(1), runs = 0;

    assert_ok(sel_register(sel, fd, READ, record_call, &record));
    assert_ok(sel_call_later(sel, 0, arm_again, &runs, NULL));
    for (int i = 1; i <= 200; i++) {
        ck_assert_int_eq(pass(sel), 2);
        ck_assert_int_eq(record.calls, i);
        ck_assert_int_eq(runs, i);
    }
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("no_delay");
    TCase *tcase = new_tcase("timers without delay");

    add_backend_test(tcase, a_negative_delay_is_that_much_earlier);
    add_backend_test(tcase, no_delay_is_the_next_pass);
    add_backend_test(tcase, no_delay_needs_no_wait_before_a_dispatch);
    add_backend_test(tcase, no_delay_inside_a_callback_is_the_next_pass_too);
    add_backend_test(tcase, a_task_that_can_be_cancelled_is_a_timer_without_delay);
    add_backend_test(tcase, what_a_timers_task_makes_due_runs_in_the_next_pass);
    add_backend_test(tcase, a_timer_that_arms_itself_again_without_delay_starves_nothing);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
