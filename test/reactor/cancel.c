/* SPDX-License-Identifier: MIT */
/*
 * sel_cancel(): a cancelled task never runs, wherever and whenever it is cancelled, and
 * an id stands for one timer for ever.
 */
#include "support/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static const int64_t millisecond = 1000000;

START_TEST(a_cancelled_timer_does_not_run)
{
    static const double delays[] = {-1, 0, 0.001, 3600, SEL_FOREVER};
    sel_selector *sel = open_selector(_i);

    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        sel_timer timer;

        assert_ok(sel_call_later(sel, delays[i], never, NULL, &timer));
        assert_ok(sel_cancel(sel, timer));
        assert_error(sel_cancel(sel, timer), ENOENT);
        assert_ok(sel_run(sel));
        assert_error(sel_cancel(sel, timer), ENOENT);
    }
    assert_ok(sel_close(sel));
}
END_TEST

/* Between the wait that collected it and the dispatch. */
START_TEST(a_due_timer_can_be_cancelled_until_it_runs)
{
    sel_selector *sel = open_selector(_i);

    for (int every = 0; every < 2; every++) {
        sel_timer timer;

        if (every)
            assert_ok(sel_call_every(sel, 0.001, never, NULL, &timer));
        else
            assert_ok(sel_call_later(sel, 0, never, NULL, &timer));
        assert_ok(sel_call_later(sel, 0, note, "other", NULL));
        work_for(2 * millisecond);
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        assert_ok(sel_cancel(sel, timer));
        assert_error(sel_cancel(sel, timer), ENOENT);
        ck_assert_int_eq(sel_dispatch(sel), 1);
        assert_noted("other");
        assert_quiet(sel, 0.01);
    }
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_timer_that_ran_is_not_found)
{
    sel_selector *sel = open_selector(_i);
    sel_timer timer, unknown = {.id = UINT64_MAX}, none = {.id = 0};

    assert_error(sel_cancel(sel, none), ENOENT); /* also before there was any */
    assert_error(sel_cancel(sel, unknown), ENOENT);
    assert_ok(sel_call_later(sel, 0, note, "t", &timer));
    ck_assert_uint_ne(timer.id, 0);
    assert_ok(sel_run(sel));
    assert_noted("t");
    assert_error(sel_cancel(sel, timer), ENOENT);
    assert_error(sel_cancel(sel, none), ENOENT);
    assert_error(sel_cancel(sel, unknown), ENOENT);
    assert_ok(sel_close(sel));
}
END_TEST

typedef struct {
    sel_timer timer;
    int runs;
    int last_run;
    int expected; /* of sel_cancel() in its own task */
} own_timer;

static void cancel_itself(sel_selector *sel, void *data)
{
    own_timer *own = data;

    own->runs++;
    if (own->runs < own->last_run)
        return;
    ck_assert_int_eq(sel_cancel(sel, own->timer), own->expected);
    assert_error(sel_cancel(sel, own->timer), ENOENT);
}

START_TEST(a_timer_can_cancel_itself_in_its_own_task)
{
    sel_selector *sel = open_selector(_i);
    own_timer once = {.last_run = 1, .expected = -ENOENT}; /* it has run */
    own_timer first = {.last_run = 1}, third = {.last_run = 3};

    assert_ok(sel_call_later(sel, 0.001, cancel_itself, &once, &once.timer));
    assert_ok(sel_call_every(sel, 0.001, cancel_itself, &first, &first.timer));
    assert_ok(sel_call_every(sel, 0.001, cancel_itself, &third, &third.timer));
    assert_ok(sel_run(sel)); /* nothing is left */
    ck_assert_int_eq(once.runs, 1);
    ck_assert_int_eq(first.runs, 1);
    ck_assert_int_eq(third.runs, 3);
    assert_ok(sel_close(sel));
}
END_TEST

static void cancel_another(sel_selector *sel, void *data)
{
    note(sel, "c");
    assert_ok(sel_cancel(sel, *(sel_timer *)data));
    assert_error(sel_cancel(sel, *(sel_timer *)data), ENOENT);
}

/* Due in the same pass, before and after the one that cancels. */
START_TEST(a_timer_can_cancel_others_that_are_due_in_the_same_pass)
{
    sel_selector *sel = open_selector(_i);
    sel_timer later, repeating;

    assert_ok(sel_call_at(sel, 1, note, "1", NULL));
    assert_ok(sel_call_at(sel, 2, cancel_another, &later, NULL));
    assert_ok(sel_call_at(sel, 3, cancel_another, &repeating, NULL));
    assert_ok(sel_call_at(sel, 4, never, NULL, &later));
    assert_ok(sel_call_every(sel, 0.001, never, NULL, &repeating));
    assert_ok(sel_call_later(sel, 0.002, note, "5", NULL));
    work_for(5 * millisecond);
    ck_assert_int_eq(pass(sel), 4);
    assert_noted("1cc5");
    assert_ok(sel_run(sel));
    assert_ok(sel_close(sel));
}
END_TEST

typedef struct {
    sel_timer others[3];
    sel_timer fresh;
} replacement;

/* Another timer takes the slot of the cancelled one while that is still part of the pass. */
static void cancel_and_make(sel_selector *sel, void *data)
{
    replacement *all = data;

    for (int i = 0; i < 3; i++) {
        assert_ok(sel_cancel(sel, all->others[i]));
        assert_ok(sel_call_later(sel, 0, note, "f", &all->fresh));
        ck_assert_uint_ne(all->fresh.id, all->others[i].id);
    }
}

START_TEST(what_is_made_in_place_of_a_cancelled_timer_runs_in_the_next_pass)
{
    sel_selector *sel = open_selector(_i);
    replacement all;

    for (int round = 0; round < 3; round++) {
        assert_ok(sel_call_at(sel, 1, cancel_and_make, &all, NULL));
        for (int i = 0; i < 3; i++)
            assert_ok(sel_call_at(sel, 2, never, NULL, &all.others[i]));
        ck_assert_int_eq(pass(sel), 1);
        assert_noted("");
        ck_assert_int_eq(pass(sel), 3);
        assert_noted("fff");
        ck_assert_int_eq(pass(sel), 0);
    }
    assert_ok(sel_close(sel));
}
END_TEST

/* A due timer is still to come in the pass of a task and of a key's callback. */
START_TEST(a_timer_can_be_cancelled_from_every_callback)
{
    sel_selector *sel = open_selector(_i);

    for (int origin = 0; origin < count_origins(); origin++) {
        sel_timer timer;

        assert_ok(sel_call_later(sel, 3600, never, NULL, &timer));
        call_from(sel, origin, cancel_another, &timer);
        assert_noted("c");
        if (origin == FROM_TASK || origin == FROM_KEY) {
            assert_ok(sel_call_later(sel, 0, never, NULL, &timer));
            call_from(sel, origin, cancel_another, &timer);
            assert_noted("c");
        }
    }
    assert_ok(sel_run(sel));
    assert_ok(sel_close(sel));
}
END_TEST

/* Redis's ae took the first timer of an empty list (redis #15391). */
START_TEST(a_wait_after_the_last_timer_was_cancelled_lasts)
{
    sel_selector *sel = open_selector(_i);
    sel_timer timers[50];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 50; i++)
            assert_ok(sel_call_later(sel, 0.001 * (i % 5), never, NULL, &timers[i]));
        for (int i = 0; i < 50; i++)
            assert_ok(sel_cancel(sel, timers[(i * 7 + round) % 50]));
        ck_assert_double_eq(sel_get_timeout(sel), SEL_FOREVER);
        assert_quiet(sel, 0.02);
        ck_assert_int_eq(sel_dispatch(sel), 0);
    }
    assert_ok(sel_close(sel));
}
END_TEST

static int compare_ids(const void *a, const void *b)
{
    uint64_t left = ((const sel_timer *)a)->id, right = ((const sel_timer *)b)->id;

    return (left > right) - (left < right);
}

/*
 * Timers come and go, a few at a time, in random order. Assertions write to libcheck's
 * pipe, and a million of them would be too many.
 */
START_TEST(ids_are_never_used_again)
{
    sel_selector *sel = open_selector(_i);
    int count = choose_rounds(1000000), wrong = 0;
    sel_timer *timers = calloc((size_t)count + 1, sizeof *timers);
    sel_timer alive[7] = {{0}};
    uint64_t random = choose_seed();

    ck_assert_ptr_nonnull(timers);
    assert_ok(sel_call_later(sel, 0, note, "first", &timers[0]));
    assert_ok(sel_run(sel));
    assert_noted("first");
    for (int i = 1; i <= count; i++) {
        sel_timer *one = &alive[next_random(&random) % 7];

        if (one->id != 0)
            wrong += sel_cancel(sel, *one) != 0;
        wrong += sel_cancel(sel, *one) != -ENOENT;
        wrong += sel_cancel(sel, timers[0]) != -ENOENT;
        wrong += sel_call_later(sel, 3600, never, NULL, one) != 0;
        timers[i] = *one;
    }
    qsort(timers, (size_t)count + 1, sizeof *timers, compare_ids);
    for (int i = 0; i <= count; i++)
        wrong += timers[i].id == (i > 0 ? timers[i - 1].id : 0);
    ck_assert_int_eq(wrong, 0);
    free(timers);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(closing_drops_timers_in_every_state)
{
    sel_selector *sel = open_selector(_i);
    sel_timer timer;

    for (int i = 0; i < 100; i++) { /* due, waiting, cancelled, cancelled when due */
        assert_ok(sel_call_later(sel, 0, never, NULL, &timer));
        assert_ok(sel_call_later(sel, 3600, never, NULL, NULL));
        assert_ok(sel_call_later(sel, SEL_FOREVER, never, NULL, NULL));
        assert_ok(sel_call_every(sel, 0.001, never, NULL, NULL));
        if (i % 10 == 0)
            ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        if (i % 2)
            assert_ok(sel_cancel(sel, timer));
    }
    assert_ok(sel_close(sel));
}
END_TEST

static void make_another(sel_selector *sel, void *data)
{
    int *left = data;

    if (--*left > 0)
        assert_ok(sel_call_later(sel, 0.001, make_another, left, NULL));
}

/* A handle that is kept for the next timer is kept once. */
START_TEST(timers_one_after_another_and_side_by_side_leave_nothing_behind)
{
    sel_selector *sel = open_selector(_i);
    int chains[20], waiting = 0;

    for (int i = 0; i < 20; i++) {
        chains[i] = 1 + i;
        assert_ok(sel_call_later(sel, 0, make_another, &chains[i], NULL));
    }
    assert_ok(sel_run(sel));
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(chains[i], 0);
    for (int i = 0; i < 200; i++)
        assert_ok(sel_call_later(sel, 0.001 * (i % 3), count_task, &waiting, NULL));
    assert_ok(sel_run(sel));
    ck_assert_int_eq(waiting, 200);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cancel");
    TCase *tcase = new_tcase("cancel");

    add_backend_test(tcase, a_cancelled_timer_does_not_run);
    add_backend_test(tcase, a_due_timer_can_be_cancelled_until_it_runs);
    add_backend_test(tcase, a_timer_that_ran_is_not_found);
    add_backend_test(tcase, a_timer_can_cancel_itself_in_its_own_task);
    add_backend_test(tcase, a_timer_can_cancel_others_that_are_due_in_the_same_pass);
    add_backend_test(tcase,
                     what_is_made_in_place_of_a_cancelled_timer_runs_in_the_next_pass);
    add_backend_test(tcase, a_timer_can_be_cancelled_from_every_callback);
    add_backend_test(tcase, a_wait_after_the_last_timer_was_cancelled_lasts);
    add_backend_test(tcase, ids_are_never_used_again);
    add_backend_test(tcase, closing_drops_timers_in_every_state);
    add_backend_test(tcase,
                     timers_one_after_another_and_side_by_side_leave_nothing_behind);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
