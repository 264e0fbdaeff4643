/* SPDX-License-Identifier: MIT */
/*
 * The order of a pass, and that whatever a pass causes happens in the next one.
 */
#include "support/journal.h"

#include <selkie/uv.h>
#include <signal.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ };

/* All of them are there before the pass, made in the opposite order. */
START_TEST(a_pass_calls_tasks_then_keys_then_timers_then_signals_then_results)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(1);

    for (int round = 0; round < 3; round++) {
        assert_ok(sel_run_in_executor(sel, no_work, note_done, "j"));
        ck_assert_int_eq(sel_select(sel, 10, NULL), 0); /* it is finished */
        assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, "s"));
        raise(SIGUSR1);
        assert_ok(sel_call_later(sel, 0, note, "t", NULL));
        assert_ok(sel_register(sel, fd, READ, note_ready, "k"));
        assert_ok(sel_call_soon(sel, note, "a"));
        ck_assert_int_eq(sel_select(sel, 0, NULL), 1);
        assert_ok(sel_call_soon(sel, note, "b"));
        ck_assert_int_eq(sel_dispatch(sel), 6);
        assert_noted("abktsj");
        assert_ok(sel_unregister(sel, fd));
        ck_assert_int_eq(pass(sel), 0);
    }
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

static void queue_both(sel_selector *sel, void *unused)
{
    (void)unused;
    assert_ok(sel_call_soon(sel, note, "task "));
    assert_ok(sel_call_soon_threadsafe(sel, note, "threadsafe "));
    assert_ok(sel_call_later(sel, 0, note, "0 ", NULL));
    assert_ok(sel_call_at(sel, 0, note, "past ", NULL));
}

START_TEST(what_a_callback_queues_runs_in_the_next_pass)
{
    for (int origin = 0; origin < ORIGINS; origin++) {
        sel_selector *sel = open_selector(_i);

        call_from(sel, origin, queue_both, NULL);
        assert_noted("");
        ck_assert_int_eq(pass(sel), 4);
        assert_noted("task threadsafe past 0 ");
        ck_assert_int_eq(pass(sel), 0);
        assert_ok(sel_close(sel));
    }
}
END_TEST

START_TEST(a_queued_task_ends_the_wait)
{
    sel_selector *sel = open_selector(_i);

    ck_assert_double_eq(sel_get_timeout(sel), SEL_FOREVER);
    assert_ok(sel_call_soon(sel, note, "a"));
    ck_assert_double_eq(sel_get_timeout(sel), 0);
    for (int i = 0; i < 3; i++) /* and is not lost if nobody dispatches */
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(sel_dispatch(sel), 0);
    assert_noted("a");
    assert_quiet(sel, 0.01);
    assert_ok(sel_close(sel));
}
END_TEST

enum { TASKS = 100000 };

static struct {
    intptr_t queued;
    intptr_t called;
} chain;

static void queue_two_more(sel_selector *sel, void *data)
{
    ck_assert_int_eq((intptr_t)data, chain.called);
    chain.called++;
    for (int i = 0; i < 2 && chain.queued < TASKS; i++)
        assert_ok(sel_call_soon(sel, queue_two_more, (void *)chain.queued++));
}

START_TEST(a_hundred_thousand_tasks_queued_by_tasks_run_in_their_order)
{
    sel_selector *sel = open_selector(_i);

    chain.called = 0;
    chain.queued = 1;
    assert_ok(sel_call_soon(sel, queue_two_more, NULL));
    assert_ok(sel_run(sel));
    ck_assert_int_eq(chain.called, TASKS);
    assert_ok(sel_close(sel));
}
END_TEST

static void queue_itself(sel_selector *sel, void *data)
{
    ++*(int *)data;
    assert_ok(sel_call_soon(sel, queue_itself, data));
}

static void stop_at_ten(sel_selector *sel, void *data)
{
    if (++*(int *)data == 10)
        sel_stop(sel);
}

START_TEST(what_is_always_ready_starves_neither_timers_nor_other_descriptors)
{
    enum { KEYS = 6 };
    sel_selector *sel = open_selector(_i);
    call_record records[KEYS] = {{0}};
    int fds[KEYS], ticks = 0, chained = 0;

    for (int i = 0; i < KEYS; i++) {
        fds[i] = make_eventfd(1);
        assert_ok(sel_register(sel, fds[i], READ, record_call, &records[i]));
    }
    assert_ok(sel_call_soon(sel, queue_itself, &chained));
    assert_ok(sel_call_every(sel, 0.01, stop_at_ten, &ticks, NULL));
    assert_ok(sel_run(sel));
    ck_assert_int_eq(ticks, 10);
    ck_assert_int_ge(chained, 10);
    for (int i = 0; i < KEYS; i++) {
        ck_assert_int_eq(records[i].calls, chained); /* in every pass */
        close(fds[i]);
    }
    assert_ok(sel_close(sel));
}
END_TEST

static void note_nothing(uv_idle_t *idle)
{
    (void)idle;
}

static void make_timers(sel_selector *sel, void *unused)
{
    (void)unused;
    assert_ok(sel_call_later(sel, 0, note, "2", NULL));
    assert_ok(sel_call_later(sel, -5, note, "1", NULL));
}

/* The dispatch runs the program's own handles, and used to run new timers with them. */
START_TEST(no_delay_is_the_next_pass_beside_handles_of_the_program)
{
    sel_selector *sel = open_selector(_i);
    uv_idle_t idle; /* something to run in every pass */

    assert_ok(uv_idle_init(sel_loop(sel), &idle));
    assert_ok(uv_idle_start(&idle, note_nothing));
    for (int origin = FROM_TASK; origin <= FROM_TIMER; origin++) { /* no wait is needed */
        call_from(sel, origin, make_timers, NULL);
        assert_noted("");
        ck_assert_int_eq(pass(sel), 2);
        assert_noted("12");
    }
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("passes");
    TCase *tcase = new_tcase("passes");

    add_backend_test(tcase,
                     a_pass_calls_tasks_then_keys_then_timers_then_signals_then_results);
    add_backend_test(tcase, what_a_callback_queues_runs_in_the_next_pass);
    add_backend_test(tcase, a_queued_task_ends_the_wait);
    add_backend_test(tcase, a_hundred_thousand_tasks_queued_by_tasks_run_in_their_order);
    add_backend_test(tcase,
                     what_is_always_ready_starves_neither_timers_nor_other_descriptors);
    add_backend_test(tcase, no_delay_is_the_next_pass_beside_handles_of_the_program);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
