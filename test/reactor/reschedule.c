/* SPDX-License-Identifier: MIT */
/*
 * sel_reschedule(): a timer that is still to run becomes due at another time, whoever
 * asks and wherever the timer is at that moment: waiting, due in this pass, or running.
 */
#include "support/journal.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

static const int64_t millisecond = 1000000;

START_TEST(a_timer_runs_when_it_was_rescheduled_for_and_only_then)
{
    sel_selector *sel = open_selector(_i);
    sel_timer late, soon, endless;
    int64_t start;

    assert_ok(sel_call_later(sel, 3600, note, "1", &late));
    assert_ok(sel_call_later(sel, 0, note, "2", &soon));
    assert_ok(sel_call_later(sel, SEL_FOREVER, note, "3", &endless));
    start = now_ns();
    assert_ok(sel_reschedule(sel, late, 0.02));
    assert_ok(sel_reschedule(sel, soon, 0.04));
    assert_ok(sel_reschedule(sel, endless, 0.06));
    for (int runs = 0; runs < 3;) {
        runs += wait_and_pass(sel);
        ck_assert_int_ge(now_ns() - start, runs * 20 * millisecond);
    }
    assert_noted("123");
    assert_ok(sel_run(sel));
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(the_next_wait_knows_the_new_time)
{
    sel_selector *sel = open_selector(_i);
    sel_timer timer, other;

    assert_ok(sel_call_later(sel, 3600, never, NULL, &timer));
    assert_ok(sel_call_later(sel, 7200, never, NULL, &other));
    assert_ok(sel_reschedule(sel, timer, 60));
    ck_assert_double_le(sel_get_timeout(sel), 60);
    assert_ok(sel_reschedule(sel, timer, SEL_FOREVER));
    ck_assert_double_gt(sel_get_timeout(sel), 3600);
    assert_ok(sel_reschedule(sel, other, SEL_FOREVER));
    ck_assert_double_eq(sel_get_timeout(sel), SEL_FOREVER);
    assert_quiet(sel, 0.01);
    ck_assert_int_eq(sel_is_alive(sel), 1);
    assert_ok(sel_reschedule(sel, other, -1));
    ck_assert_double_eq(sel_get_timeout(sel), 0);
    assert_ok(sel_cancel(sel, timer));
    assert_ok(sel_cancel(sel, other));
    assert_ok(sel_run(sel));
    assert_ok(sel_close(sel));
}
END_TEST

/* Among others due at the same time it counts as newly made. */
START_TEST(a_rescheduled_timer_keeps_its_id_and_takes_its_place_among_the_others)
{
    sel_selector *sel = open_selector(_i);
    sel_timer first, second;
    uint64_t id;

    for (int round = 0; round < 3; round++) {
        assert_ok(sel_call_later(sel, -HUGE_VAL, note, "b", &first));
        id = first.id;
        assert_ok(sel_call_later(sel, -1000, note, "a", &second));
        assert_ok(sel_reschedule(sel, first, -10));
        assert_ok(sel_call_later(sel, -5, note, "c", NULL));
        ck_assert_uint_eq(first.id, id);
        ck_assert_int_eq(pass(sel), 3);
        assert_noted("abc");
        assert_error(sel_cancel(sel, first), ENOENT);
    }
    assert_ok(sel_close(sel));
}
END_TEST

/* --- a repeating one --- */

typedef struct {
    sel_timer timer;
    int64_t first; /* no run before this, */
    int64_t interval;
    int runs;
    int wanted;
    double move; /* in its first run, by this; 0: not */
} ticker;

static void tick(sel_selector *sel, void *data)
{
    ticker *clock = data;

    ck_assert_int_ge(now_ns(), clock->first + clock->runs * clock->interval);
    if (++clock->runs == clock->wanted)
        assert_ok(sel_cancel(sel, clock->timer));
    if (clock->runs > 1 || clock->move == 0)
        return;
    clock->first = now_ns() + (int64_t)(clock->move * 1e9) - clock->interval;
    assert_ok(sel_reschedule(sel, clock->timer, clock->move));
}

START_TEST(a_repeating_timer_goes_on_from_the_run_it_was_rescheduled_for)
{
    static const double delays[] = {0, 0.004, 0.03};
    sel_selector *sel = open_selector(_i);

    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        ticker clock = {.interval = 10 * millisecond, .wanted = 4};

        assert_ok(sel_call_every(sel, 0.01, tick, &clock, &clock.timer));
        work_for(3 * millisecond);
        clock.first = now_ns() + (int64_t)(delays[i] * 1e9);
        assert_ok(sel_reschedule(sel, clock.timer, delays[i]));
        assert_ok(sel_run(sel));
        ck_assert_int_eq(clock.runs, 4);
    }
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_repeating_timer_can_reschedule_itself_in_its_own_task)
{
    sel_selector *sel = open_selector(_i);
    ticker sooner = {.interval = 20 * millisecond, .wanted = 3, .move = 0.002};
    ticker later = {.interval = 2 * millisecond, .wanted = 4, .move = 0.03};

    assert_ok(sel_call_every(sel, 0.02, tick, &sooner, &sooner.timer));
    assert_ok(sel_call_every(sel, 0.002, tick, &later, &later.timer));
    assert_ok(sel_run(sel));
    ck_assert_int_eq(sooner.runs, 3);
    ck_assert_int_eq(later.runs, 4);
    assert_error(sel_reschedule(sel, sooner.timer, 0), ENOENT);
    assert_ok(sel_close(sel));
}
END_TEST

/*
 * If a machine had been up for less than the interval, the time one interval before the
 * run was before the clock's zero, and the run after that never came.
 */
START_TEST(intervals_longer_than_the_machine_is_up_go_on)
{
    static const double delays[] = {0, -1, -1e6, -HUGE_VAL};
    sel_selector *sel = open_selector(_i);
    double interval = sel_time(sel) + 3600;

    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        sel_timer timer;
        double timeout;

        assert_ok(sel_call_every(sel, interval, note, "e", &timer));
        assert_ok(sel_reschedule(sel, timer, delays[i]));
        ck_assert_int_eq(pass(sel), 1);
        ck_assert_int_eq(pass(sel), 0);
        assert_noted("e");
        timeout = sel_get_timeout(sel);
        ck_assert_double_gt(timeout, 0);
        ck_assert_double_le(timeout, interval);
        if (delays[i] == 0)
            ck_assert_double_gt(timeout, interval - 100);
        assert_ok(sel_cancel(sel, timer));
    }
    assert_ok(sel_close(sel));
}
END_TEST

/* Runs that have passed since are missed, and not made up for all at once. */
START_TEST(a_repeating_timer_that_is_long_due_runs_once)
{
    static const double delays[] = {-0.5, -3600, -1e9, -1e300, -HUGE_VAL};
    sel_selector *sel = open_selector(_i);

    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        sel_timer timer;

        assert_ok(sel_call_every(sel, 3000, note, "e", &timer));
        assert_ok(sel_reschedule(sel, timer, delays[i]));
        ck_assert_int_eq(pass(sel), 1);
        ck_assert_double_le(sel_get_timeout(sel), 3000);
        assert_quiet(sel, 0.002);
        assert_ok(sel_cancel(sel, timer));
        assert_ok(sel_call_every(sel, SEL_FOREVER, note, "f", &timer));
        assert_ok(sel_reschedule(sel, timer, delays[i]));
        ck_assert_int_eq(pass(sel), 1);
        ck_assert_double_eq(sel_get_timeout(sel), SEL_FOREVER);
        assert_ok(sel_cancel(sel, timer));
        assert_noted("ef");
    }
    assert_ok(sel_close(sel));
}
END_TEST

/* --- in the middle of a pass --- */

typedef struct {
    sel_timer timers[4];
    double delay;
} group;

/* Others of this pass whose turn has not come yet, and one of them twice. */
static void reschedule_others(sel_selector *sel, void *data)
{
    const group *all = data;

    note(sel, "r");
    assert_ok(sel_reschedule(sel, all->timers[0], 3600));
    assert_ok(sel_reschedule(sel, all->timers[0], all->delay));
    assert_ok(sel_reschedule(sel, all->timers[1], all->delay));
    assert_ok(sel_reschedule(sel, all->timers[2], all->delay));
    assert_ok(sel_cancel(sel, all->timers[2]));
    assert_error(sel_reschedule(sel, all->timers[2], 0), ENOENT);
    assert_ok(sel_cancel(sel, all->timers[3]));
    assert_error(sel_reschedule(sel, all->timers[3], 0), ENOENT);
}

START_TEST(a_timer_that_is_due_in_the_same_pass_runs_when_it_was_rescheduled_for)
{
    static const double delays[] = {-1, 0, 0.005};
    sel_selector *sel = open_selector(_i);

    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        group all = {.delay = delays[i]};

        assert_ok(sel_call_later(sel, -100, reschedule_others, &all, NULL));
        assert_ok(sel_call_later(sel, -50, note, "1", &all.timers[0]));
        assert_ok(sel_call_later(sel, -40, note, "2", &all.timers[1]));
        assert_ok(sel_call_later(sel, -30, never, NULL, &all.timers[2]));
        assert_ok(sel_call_later(sel, -20, never, NULL, &all.timers[3]));
        assert_ok(sel_call_later(sel, 0, note, "3", NULL));
        ck_assert_int_eq(pass(sel), 2);
        assert_noted("r3");
        assert_ok(sel_run(sel));
        assert_noted("12");
        for (int k = 0; k < 4; k++)
            assert_error(sel_reschedule(sel, all.timers[k], 0), ENOENT);
    }
    assert_ok(sel_close(sel));
}
END_TEST

static void count_and_reschedule(sel_selector *sel, void *data)
{
    ticker *other = data;

    ck_assert_int_eq(other->runs, 0);
    other->first = now_ns() + 5 * millisecond;
    assert_ok(sel_reschedule(sel, other->timer, 0.005));
}

START_TEST(a_repeating_timer_that_is_due_in_the_same_pass_goes_on_from_there)
{
    sel_selector *sel = open_selector(_i);
    ticker clock = {.interval = millisecond, .wanted = 3};

    assert_ok(sel_call_later(sel, 0, count_and_reschedule, &clock, NULL));
    assert_ok(sel_call_every(sel, 0.001, tick, &clock, &clock.timer));
    work_for(2 * millisecond);
    ck_assert_int_eq(pass(sel), 1);
    assert_ok(sel_run(sel));
    ck_assert_int_eq(clock.runs, 3);
    assert_ok(sel_close(sel));
}
END_TEST

static void make_due(sel_selector *sel, void *data)
{
    note(sel, "m");
    assert_ok(sel_reschedule(sel, *(sel_timer *)data, 0));
}

/* Like one that was made there. */
START_TEST(what_is_made_due_inside_a_callback_runs_in_the_next_pass)
{
    sel_selector *sel = open_selector(_i);

    for (int origin = 0; origin < count_origins(); origin++) {
        sel_timer timer;

        assert_ok(sel_call_later(sel, 3600, note, "t", &timer));
        call_from(sel, origin, make_due, &timer);
        assert_noted("m");
        ck_assert_int_eq(pass(sel), 1);
        assert_noted("t");
    }
    assert_ok(sel_close(sel));
}
END_TEST

static void reschedule_itself(sel_selector *sel, void *data)
{
    note(sel, "t");
    assert_error(sel_reschedule(sel, *(sel_timer *)data, 0), ENOENT);
    assert_error(sel_cancel(sel, *(sel_timer *)data), ENOENT);
}

/* asyncio's handle is used up by then too. */
START_TEST(a_timer_that_runs_once_has_run_as_soon_as_its_task_begins)
{
    sel_selector *sel = open_selector(_i);
    sel_timer timer;

    assert_ok(sel_call_later(sel, 0, reschedule_itself, &timer, &timer));
    assert_ok(sel_run(sel));
    assert_noted("t");
    assert_ok(sel_close(sel));
}
END_TEST

static void cancel_and_reschedule(sel_selector *sel, void *data)
{
    sel_timer timer = *(sel_timer *)data;

    note(sel, "e");
    assert_ok(sel_reschedule(sel, timer, 0));
    assert_ok(sel_cancel(sel, timer));
    assert_error(sel_reschedule(sel, timer, 0), ENOENT);
}

START_TEST(what_was_rescheduled_and_then_cancelled_in_its_own_task_is_cancelled)
{
    sel_selector *sel = open_selector(_i);
    sel_timer timer;

    assert_ok(sel_call_every(sel, 0.001, cancel_and_reschedule, &timer, &timer));
    assert_ok(sel_run(sel));
    assert_noted("e");
    assert_quiet(sel, 0.005);
    assert_ok(sel_close(sel));
}
END_TEST

/* --- what is refused --- */

START_TEST(what_has_run_or_was_cancelled_cannot_be_rescheduled)
{
    sel_selector *sel = open_selector(_i);
    sel_timer ran, cancelled, fresh, unknown = {.id = UINT64_MAX}, none = {.id = 0};

    assert_error(sel_reschedule(sel, none, 0), ENOENT); /* also before there was any */
    assert_error(sel_reschedule(sel, unknown, 0), ENOENT);
    assert_ok(sel_call_later(sel, 0, note, "t", &ran));
    assert_ok(sel_run(sel));
    assert_noted("t");
    assert_error(sel_reschedule(sel, ran, 0), ENOENT);
    assert_ok(sel_call_later(sel, 3600, never, NULL, &cancelled));
    assert_ok(sel_cancel(sel, cancelled));
    assert_error(sel_reschedule(sel, cancelled, 0), ENOENT);
    assert_ok(sel_call_later(sel, 3600, never, NULL, &fresh)); /* where the others were */
    assert_error(sel_reschedule(sel, ran, 0), ENOENT);
    assert_error(sel_reschedule(sel, cancelled, 0), ENOENT);
    assert_error(sel_reschedule(sel, none, 0), ENOENT);
    ck_assert_double_gt(sel_get_timeout(sel), 3000);
    assert_ok(sel_cancel(sel, fresh));
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_delay_that_is_no_number_changes_nothing)
{
    sel_selector *sel = open_selector(_i);
    sel_timer timer;

    assert_ok(sel_call_later(sel, 3600, never, NULL, &timer));
    assert_error(sel_reschedule(sel, timer, (double)NAN), EINVAL);
    assert_error(sel_reschedule(sel, (sel_timer){0}, (double)NAN), EINVAL);
    assert_error(sel_reschedule(NULL, timer, 0), EINVAL);
    ck_assert_double_gt(sel_get_timeout(sel), 3000);
    ck_assert_double_le(sel_get_timeout(sel), 3600);
    ck_assert_int_eq(pass(sel), 0);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(in_a_child_it_is_refused_until_that_has_followed)
{
    sel_selector *sel = open_selector(_i);
    sel_timer timer;
    pid_t pid;

    assert_ok(sel_call_later(sel, 3600, note, "t", &timer));
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        assert_error(sel_reschedule(sel, timer, 0), ECHILD);
        assert_ok(sel_after_fork(sel));
        assert_ok(sel_reschedule(sel, timer, 0));
        assert_ok(sel_run(sel));
        assert_noted("t");
        assert_ok(sel_close(sel));
        _exit(0);
    }
    assert_child_succeeds(pid);
    ck_assert_int_eq(pass(sel), 0);
    assert_ok(sel_reschedule(sel, timer, 0));
    assert_ok(sel_run(sel));
    assert_noted("t");
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reschedule");
    TCase *tcase = new_tcase("timers that are rescheduled");

    add_backend_test(tcase, a_timer_runs_when_it_was_rescheduled_for_and_only_then);
    add_backend_test(tcase, the_next_wait_knows_the_new_time);
    add_backend_test(tcase,
                     a_rescheduled_timer_keeps_its_id_and_takes_its_place_among_the_others);
    add_backend_test(tcase,
                     a_repeating_timer_goes_on_from_the_run_it_was_rescheduled_for);
    add_backend_test(tcase, a_repeating_timer_can_reschedule_itself_in_its_own_task);
    add_backend_test(tcase, intervals_longer_than_the_machine_is_up_go_on);
    add_backend_test(tcase, a_repeating_timer_that_is_long_due_runs_once);
    add_backend_test(tcase,
                     a_timer_that_is_due_in_the_same_pass_runs_when_it_was_rescheduled_for);
    add_backend_test(tcase,
                     a_repeating_timer_that_is_due_in_the_same_pass_goes_on_from_there);
    add_backend_test(tcase, what_is_made_due_inside_a_callback_runs_in_the_next_pass);
    add_backend_test(tcase, a_timer_that_runs_once_has_run_as_soon_as_its_task_begins);
    add_backend_test(tcase,
                     what_was_rescheduled_and_then_cancelled_in_its_own_task_is_cancelled);
    add_backend_test(tcase, what_has_run_or_was_cancelled_cannot_be_rescheduled);
    add_backend_test(tcase, a_delay_that_is_no_number_changes_nothing);
    add_backend_test(tcase, in_a_child_it_is_refused_until_that_has_followed);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
