/* SPDX-License-Identifier: MIT */
/* A build without libuv: what it refuses. Tasks and timers are there as always. */
#include "support/support.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <unistd.h>

static void task(sel_selector *sel, void *data)
{
    (void)sel;
    (void)data;
}

static void stop_run(sel_selector *sel, void *data)
{
    (void)data;
    sel_stop(sel);
}

static void work(void *data)
{
    (void)data;
}

START_TEST(signal_handlers_and_the_executor_are_not_supported)
{
    sel_selector *sel = open_selector(_i);

    assert_error(sel_add_signal_handler(sel, SIGUSR1, task, NULL), ENOTSUP);
    assert_error(sel_run_in_executor(sel, work, NULL, NULL), ENOTSUP);
    assert_error(sel_remove_signal_handler(sel, SIGUSR1), ENOENT);
    ck_assert_int_eq(sel_is_alive(sel), 0);
    assert_ok(sel_close(sel));
}
END_TEST

/* -ENOTSUP is only for where the call would otherwise be allowed. */
START_TEST(in_a_child_they_say_that_it_is_one)
{
    sel_selector *sel = open_selector(_i);
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        assert_error(sel_add_signal_handler(sel, SIGUSR1, task, NULL), ECHILD);
        assert_error(sel_run_in_executor(sel, work, NULL, NULL), ECHILD);
        assert_error(sel_remove_signal_handler(sel, SIGUSR1), ECHILD);
        _exit(0);
    }
    assert_child_succeeds(pid);
    assert_ok(sel_close(sel));
}
END_TEST

static void count(sel_selector *sel, void *data)
{
    (void)sel;
    ++*(int *)data;
}

START_TEST(timers_run_here_too)
{
    sel_selector *sel = open_selector(_i);
    int64_t start = now_ns();
    sel_timer timer, every;
    int runs = 0, repeated = 0;

    assert_ok(sel_call_later(sel, 3600, count, &runs, &timer));
    assert_ok(sel_call_later(sel, 0.02, stop_run, NULL, NULL));
    assert_ok(sel_call_at(sel, sel_time(sel) + 0.001, count, &runs, NULL));
    assert_ok(sel_call_every(sel, 0.001, count, &repeated, &every));
    assert_ok(sel_reschedule(sel, timer, 0.002));
    assert_ok(sel_run(sel));
    ck_assert_int_ge(now_ns() - start, 20000000);
    ck_assert_int_eq(runs, 2);
    ck_assert_int_ge(repeated, 1);
    assert_error(sel_cancel(sel, timer), ENOENT);
    assert_ok(sel_cancel(sel, every));
    ck_assert_int_eq(sel_is_alive(sel), 0);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(bad_arguments_are_bad_here_too)
{
    sel_selector *sel = open_selector(_i);
    sel_timer timer = {7};

    assert_error(sel_call_later(NULL, 1, task, NULL, &timer), EINVAL);
    assert_error(sel_call_later(sel, 1, NULL, NULL, &timer), EINVAL);
    assert_error(sel_call_later(sel, (double)NAN, task, NULL, &timer), EINVAL);
    assert_error(sel_call_at(sel, 1, NULL, NULL, &timer), EINVAL);
    assert_error(sel_call_at(sel, (double)NAN, task, NULL, &timer), EINVAL);
    assert_error(sel_call_every(sel, 1, NULL, NULL, &timer), EINVAL);
    assert_error(sel_call_every(sel, 0, task, NULL, &timer), EINVAL);
    ck_assert_uint_eq(timer.id, 7);
    assert_error(sel_cancel(sel, timer), ENOENT);
    assert_error(sel_reschedule(sel, timer, 0), ENOENT);
    assert_error(sel_add_signal_handler(sel, SIGUSR1, NULL, NULL), EINVAL);
    assert_error(sel_add_signal_handler(sel, 0, task, NULL), EINVAL);
    assert_error(sel_run_in_executor(sel, NULL, NULL, NULL), EINVAL);
    assert_error(sel_cancel(NULL, (sel_timer){1}), EINVAL);
    assert_error(sel_reschedule(NULL, (sel_timer){1}, 0), EINVAL);
    assert_error(sel_is_alive(NULL), EINVAL);
    assert_error(sel_remove_signal_handler(NULL, SIGUSR1), EINVAL);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("without_libuv");
    TCase *tcase = new_tcase("without libuv");

    add_backend_test(tcase, signal_handlers_and_the_executor_are_not_supported);
    add_backend_test(tcase, in_a_child_they_say_that_it_is_one);
    add_backend_test(tcase, timers_run_here_too);
    add_backend_test(tcase, bad_arguments_are_bad_here_too);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
