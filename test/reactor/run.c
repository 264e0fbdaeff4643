/* SPDX-License-Identifier: MIT */
/*
 * sel_run() and sel_stop(), and what keeps a run going.
 */
#include "support/journal.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ };

START_TEST(a_run_with_nothing_to_wait_for_returns)
{
    sel_selector *sel = open_selector(_i);

    assert_ok(sel_run(sel));
    assert_ok(sel_run(sel));
    assert_ok(sel_close(sel));
}
END_TEST

static void queue_next(sel_selector *sel, void *next)
{
    note(sel, "a");
    assert_ok(sel_call_soon(sel, note, next));
}

START_TEST(a_stop_before_the_run_lets_it_make_one_pass)
{
    sel_selector *sel = open_selector(_i);
    int silent = make_eventfd(0);

    assert_ok(sel_register(sel, silent, READ, note_ready, "never"));
    assert_ok(sel_call_soon(sel, queue_next, "b"));
    sel_stop(sel);
    assert_ok(sel_run(sel));
    assert_noted("a");
    sel_stop(sel);
    assert_ok(sel_run(sel));
    assert_noted("b");
    sel_stop(sel); /* with nothing to do the pass is a look, no wait */
    assert_ok(sel_run(sel));
    assert_ok(sel_close(sel));
    close(silent);
}
END_TEST

START_TEST(a_stop_is_used_up_by_the_run_that_it_ends)
{
    sel_selector *sel = open_selector(_i);

    sel_stop(sel);
    sel_stop(sel);
    assert_ok(sel_run(sel));
    assert_ok(sel_call_later(sel, 0.005, note, "timer", NULL));
    assert_ok(sel_run(sel));
    assert_noted("timer");
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_stop_in_a_callback_ends_the_run_when_the_pass_is_done)
{
    for (int origin = 0; origin < ORIGINS; origin++) {
        sel_selector *sel = open_selector(_i);
        int ready = make_eventfd(1);

        assert_ok(sel_register(sel, ready, READ, note_ready, "k"));
        assert_ok(sel_call_soon(sel, stop, NULL));
        assert_ok(sel_call_soon(sel, queue_next, "b"));
        assert_ok(sel_run(sel));
        assert_noted("ak");
        sel_stop(sel);
        assert_ok(sel_run(sel));
        assert_noted("bk");
        assert_ok(sel_unregister(sel, ready));
        close(ready);
        call_from(sel, origin, stop, NULL);
        assert_ok(sel_call_soon(sel, queue_next, "b"));
        assert_ok(sel_run(sel));
        assert_noted("a");
        assert_ok(sel_run(sel));
        assert_noted("b");
        assert_ok(sel_close(sel));
    }
}
END_TEST

static void unregister_itself(sel_selector *sel, const sel_key *key, int mask)
{
    note_ready(sel, key, mask);
    assert_ok(sel_unregister(sel, key->fd));
}

static void pause_itself(sel_selector *sel, const sel_key *key, int mask)
{
    note_ready(sel, key, mask);
    assert_ok(sel_modify(sel, key->fd, 0, key->callback, key->data));
}

static void lose_callback(sel_selector *sel, const sel_key *key, int mask)
{
    note_ready(sel, key, mask);
    assert_ok(sel_modify(sel, key->fd, key->events, NULL, NULL));
}

START_TEST(a_key_keeps_the_run_going_until_it_is_removed_paused_or_mute)
{
    static sel_callback *const endings[] = {unregister_itself, pause_itself,
                                            lose_callback};

    for (int i = 0; i < 3; i++) {
        sel_selector *sel = open_selector(_i);
        int fd = make_eventfd(1);

        assert_ok(sel_register(sel, fd, READ, endings[i], "k"));
        assert_ok(sel_run(sel));
        assert_noted("k");
        assert_ok(sel_run(sel));
        assert_ok(sel_close(sel));
        close(fd);
    }
}
END_TEST

START_TEST(timers_tasks_jobs_and_signal_handlers_keep_the_run_going)
{
    static const struct itimerval soon = {.it_value = {.tv_usec = 30000}};
    sel_selector *sel = open_selector(_i);
    int64_t start;

    assert_ok(sel_call_later(sel, 0.01, note, "t", NULL));
    assert_ok(sel_run(sel));
    assert_ok(sel_call_soon(sel, note, "a"));
    assert_ok(sel_run(sel));
    assert_ok(sel_call_soon_threadsafe(sel, note, "b"));
    assert_ok(sel_run(sel));
    assert_ok(sel_run_in_executor(sel, no_work, note_done, "j"));
    assert_ok(sel_run(sel));
    assert_noted("tabj");
    assert_ok(sel_add_signal_handler(sel, SIGALRM, stop, NULL));
    ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
    start = now_ns();
    assert_ok(sel_run(sel)); /* ended by the signal */
    ck_assert_int_ge(now_ns() - start, 20 * 1000000);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(what_is_paused_cancelled_or_removed_keeps_no_run_going)
{
    sel_selector *sel = open_selector(_i);
    int paused = make_eventfd(1), read_by_hand = make_eventfd(1);
    sel_timer timer;

    assert_ok(sel_register(sel, paused, READ, note_ready, "never"));
    assert_ok(sel_modify(sel, paused, 0, note_ready, "never"));
    assert_ok(sel_register(sel, read_by_hand, READ, NULL, NULL));
    assert_ok(sel_call_later(sel, 3600, never, NULL, &timer));
    assert_ok(sel_cancel(sel, timer));
    assert_ok(sel_call_every(sel, 3600, never, NULL, &timer));
    assert_ok(sel_cancel(sel, timer));
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, never, NULL));
    assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
    assert_error(sel_add_signal_handler(sel, SIGKILL, never, NULL), EINVAL);
    assert_ok(sel_run(sel));
    assert_noted("");
    assert_ok(sel_close(sel));
    close(paused);
    close(read_by_hand);
}
END_TEST

static void assert_busy(sel_selector *sel, void *unused)
{
    const sel_ready *ready = NULL;

    (void)unused;
    assert_error(sel_run(sel), EBUSY);
    assert_error(sel_select(sel, 0, &ready), EBUSY);
    assert_error(sel_dispatch(sel), EBUSY);
    assert_error(sel_close(sel), EBUSY);
    ck_assert_ptr_null(ready);
    note(sel, "busy ");
}

static void assert_busy_in_callback(sel_selector *sel, const sel_key *key, int mask)
{
    assert_busy(sel, NULL);
    note_ready(sel, key, mask);
}

START_TEST(inside_any_callback_run_select_dispatch_and_close_are_busy)
{
    sel_selector *sel = open_selector(_i);
    int fds[2] = {make_eventfd(1), make_eventfd(1)};

    for (int origin = 0; origin < ORIGINS; origin++) {
        call_from(sel, origin, assert_busy, NULL);
        assert_noted("busy ");
    }
    for (int i = 0; i < 2; i++)
        assert_ok(sel_register(sel, fds[i], READ, assert_busy_in_callback, "k"));
    ck_assert_int_eq(pass(sel), 2); /* the second pair is still there */
    assert_noted("busy kbusy k");
    assert_ok(sel_close(sel));
    close_pair(fds);
}
END_TEST

START_TEST(bad_arguments_are_refused_and_queue_nothing)
{
    sel_selector *sel = open_selector(_i);
    sel_timer timer = {.id = 77};

    assert_error(sel_run(NULL), EINVAL);
    sel_stop(NULL);
    assert_error(sel_call_soon(NULL, never, NULL), EINVAL);
    assert_error(sel_call_soon(sel, NULL, NULL), EINVAL);
    assert_error(sel_call_soon_threadsafe(NULL, never, NULL), EINVAL);
    assert_error(sel_call_soon_threadsafe(sel, NULL, NULL), EINVAL);
    assert_error(sel_call_later(NULL, 0, never, NULL, &timer), EINVAL);
    assert_error(sel_call_later(sel, 0, NULL, NULL, &timer), EINVAL);
    assert_error(sel_call_later(sel, (double)NAN, never, NULL, &timer), EINVAL);
    assert_error(sel_call_at(NULL, 0, never, NULL, &timer), EINVAL);
    assert_error(sel_call_at(sel, 0, NULL, NULL, &timer), EINVAL);
    assert_error(sel_call_at(sel, (double)NAN, never, NULL, &timer), EINVAL);
    assert_error(sel_call_every(NULL, 1, never, NULL, &timer), EINVAL);
    assert_error(sel_call_every(sel, 1, NULL, NULL, &timer), EINVAL);
    assert_error(sel_call_every(sel, 0, never, NULL, &timer), EINVAL);
    assert_error(sel_call_every(sel, -1, never, NULL, &timer), EINVAL);
    assert_error(sel_call_every(sel, (double)NAN, never, NULL, &timer), EINVAL);
    assert_error(sel_reschedule(NULL, timer, 0), EINVAL);
    assert_error(sel_reschedule(sel, timer, (double)NAN), EINVAL);
    assert_error(sel_cancel(NULL, timer), EINVAL);
    assert_error(sel_run_in_executor(NULL, no_work, NULL, NULL), EINVAL);
    assert_error(sel_run_in_executor(sel, NULL, NULL, NULL), EINVAL);
    ck_assert_uint_eq(timer.id, 77);
    assert_ok(sel_run(sel));
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(time_is_the_monotonic_clock_in_seconds)
{
    sel_selector *sel = open_selector(_i);
    double before = (double)now_ns() / 1e9, now = sel_time(sel);

    ck_assert_double_ge(now, before);
    ck_assert_double_le(now, sel_time(NULL));
    ck_assert_double_le(sel_time(NULL), (double)now_ns() / 1e9);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(close_drops_what_is_left)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(1);

    assert_ok(sel_run_in_executor(sel, no_work, NULL, NULL));
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, never, NULL));
    assert_ok(sel_register(sel, fd, READ, note_ready, "never"));
    assert_ok(sel_call_soon(sel, never, NULL));
    assert_ok(sel_call_soon_threadsafe(sel, never, NULL));
    assert_ok(sel_call_later(sel, 0, never, NULL, NULL));
    assert_ok(sel_call_every(sel, 0.001, never, NULL, NULL));
    raise(SIGUSR1);
    ck_assert_int_eq(sel_select(sel, 0.002, NULL), 1);
    assert_ok(sel_close(sel));
    assert_noted("");
    ck_assert(is_open(fd));
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run");
    TCase *tcase = new_tcase("run");

    add_backend_test(tcase, a_run_with_nothing_to_wait_for_returns);
    add_backend_test(tcase, a_stop_before_the_run_lets_it_make_one_pass);
    add_backend_test(tcase, a_stop_is_used_up_by_the_run_that_it_ends);
    add_backend_test(tcase, a_stop_in_a_callback_ends_the_run_when_the_pass_is_done);
    add_backend_test(tcase,
                     a_key_keeps_the_run_going_until_it_is_removed_paused_or_mute);
    add_backend_test(tcase, timers_tasks_jobs_and_signal_handlers_keep_the_run_going);
    add_backend_test(tcase, what_is_paused_cancelled_or_removed_keeps_no_run_going);
    add_backend_test(tcase, inside_any_callback_run_select_dispatch_and_close_are_busy);
    add_backend_test(tcase, bad_arguments_are_refused_and_queue_nothing);
    add_backend_test(tcase, time_is_the_monotonic_clock_in_seconds);
    add_backend_test(tcase, close_drops_what_is_left);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
