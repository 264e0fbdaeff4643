/* SPDX-License-Identifier: MIT */
/* A build without libuv: what it refuses. */
#include "support/support.h"

#include <errno.h>
#include <math.h>
#include <signal.h>

static void task(sel_selector *sel, void *data)
{
    (void)sel;
    (void)data;
}

static void work(void *data)
{
    (void)data;
}

START_TEST(timers_signal_handlers_and_the_executor_are_not_supported)
{
    sel_selector *sel = open_selector(_i);
    sel_timer timer = {7};

    assert_error(sel_call_later(sel, 1, task, NULL, &timer), ENOTSUP);
    assert_error(sel_call_at(sel, 1, task, NULL, &timer), ENOTSUP);
    assert_error(sel_call_every(sel, 1, task, NULL, &timer), ENOTSUP);
    assert_error(sel_add_signal_handler(sel, SIGUSR1, task, NULL), ENOTSUP);
    assert_error(sel_run_in_executor(sel, work, NULL, NULL), ENOTSUP);
    ck_assert_uint_eq(timer.id, 7);
    assert_error(sel_cancel(sel, timer), ENOENT);
    assert_error(sel_remove_signal_handler(sel, SIGUSR1), ENOENT);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(bad_arguments_are_bad_here_too)
{
    sel_selector *sel = open_selector(_i);

    assert_error(sel_call_later(NULL, 1, task, NULL, NULL), EINVAL);
    assert_error(sel_call_later(sel, 1, NULL, NULL, NULL), EINVAL);
    assert_error(sel_call_later(sel, (double)NAN, task, NULL, NULL), EINVAL);
    assert_error(sel_call_at(sel, 1, NULL, NULL, NULL), EINVAL);
    assert_error(sel_call_at(sel, (double)NAN, task, NULL, NULL), EINVAL);
    assert_error(sel_call_every(sel, 1, NULL, NULL, NULL), EINVAL);
    assert_error(sel_call_every(sel, 0, task, NULL, NULL), EINVAL);
    assert_error(sel_add_signal_handler(sel, SIGUSR1, NULL, NULL), EINVAL);
    assert_error(sel_add_signal_handler(sel, 0, task, NULL), EINVAL);
    assert_error(sel_run_in_executor(sel, NULL, NULL, NULL), EINVAL);
    assert_error(sel_cancel(NULL, (sel_timer){1}), EINVAL);
    assert_error(sel_remove_signal_handler(NULL, SIGUSR1), EINVAL);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("without_libuv");
    TCase *tcase = new_tcase("without libuv");

    add_backend_test(tcase, timers_signal_handlers_and_the_executor_are_not_supported);
    add_backend_test(tcase, bad_arguments_are_bad_here_too);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
