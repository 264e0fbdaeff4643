/* SPDX-License-Identifier: MIT */
/*
 * Signal handlers: called by dispatch and not in signal context, until they are
 * removed.
 */
#include "support/journal.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>

START_TEST(a_handler_runs_in_dispatch_and_not_in_signal_context)
{
    sel_selector *sel = open_selector(_i);

    assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, "s"));
    for (int round = 0; round < 3; round++) {
        raise(SIGUSR1);
        assert_noted("");
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        assert_noted("");
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0); /* not lost */
        ck_assert_int_eq(sel_dispatch(sel), 1);
        assert_noted("s");
        assert_quiet(sel, 0.01);
        ck_assert_int_eq(sel_dispatch(sel), 0);
    }
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_signal_during_a_wait_ends_it_if_it_is_handled)
{
    static const struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    sel_selector *sel = open_selector(_i);
    int64_t start = now_ns();

    assert_ok(sel_add_signal_handler(sel, SIGALRM, note, "s"));
    ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    ck_assert_int_ge(now_ns() - start, 20 * 1000000);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    assert_noted("s");
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_second_handler_replaces_the_first)
{
    sel_selector *sel = open_selector(_i);

    assert_ok(sel_add_signal_handler(sel, SIGUSR1, never, NULL));
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, "old"));
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, "new"));
    raise(SIGUSR1);
    ck_assert_int_eq(wait_and_pass(sel), 1);
    assert_noted("new");
    assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
    assert_error(sel_remove_signal_handler(sel, SIGUSR1), ENOENT);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(only_a_handler_of_this_selector_can_be_removed)
{
    sel_selector *sel = open_selector(_i), *other = open_selector(_i);

    assert_error(sel_remove_signal_handler(sel, SIGUSR1), ENOENT);
    assert_ok(sel_add_signal_handler(other, SIGUSR1, note, "s"));
    assert_ok(sel_add_signal_handler(sel, SIGUSR2, never, NULL));
    assert_error(sel_remove_signal_handler(sel, SIGUSR1), ENOENT);
    assert_error(sel_remove_signal_handler(NULL, SIGUSR1), EINVAL);
    raise(SIGUSR1);
    ck_assert_int_eq(wait_and_pass(other), 1);
    assert_noted("s");
    assert_ok(sel_close(sel));
    assert_ok(sel_close(other));
}
END_TEST

/* Recorded by a wait, or still in the pipe that libuv's handler wrote to. */
START_TEST(a_signal_that_has_come_is_not_told_after_its_handler_was_removed)
{
    for (int round = 0; round < 4; round++) {
        bool is_seen = round & 1, is_added_again = round & 2;
        sel_selector *sel = open_selector(_i);

        assert_ok(sel_add_signal_handler(sel, SIGUSR1, never, NULL));
        raise(SIGUSR1);
        if (is_seen)
            ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
        if (is_added_again)
            assert_ok(sel_add_signal_handler(sel, SIGUSR1, never, NULL));
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(pass(sel), 0);
        assert_quiet(sel, 0.01);
        if (is_added_again) {
            assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, "s"));
            raise(SIGUSR1);
            ck_assert_int_eq(wait_and_pass(sel), 1);
            assert_noted("s");
        }
        assert_ok(sel_close(sel));
    }
}
END_TEST

START_TEST(what_is_no_signal_or_cannot_be_caught_is_refused)
{
    static const int bad[] = {0, -1, NSIG, 1 << 20, SIGKILL, SIGSTOP, 32};
    sel_selector *sel = open_selector(_i);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_error(sel_add_signal_handler(sel, bad[i], never, NULL), EINVAL);
        assert_error(sel_remove_signal_handler(sel, bad[i]), ENOENT);
    }
    assert_error(sel_add_signal_handler(sel, SIGUSR1, NULL, NULL), EINVAL);
    assert_error(sel_add_signal_handler(NULL, SIGUSR1, never, NULL), EINVAL);
    assert_ok(sel_run(sel)); /* nothing is left of them */
    assert_ok(sel_close(sel));
}
END_TEST

static bool can_be_caught(int signum)
{
    if (signum == SIGKILL || signum == SIGSTOP || (signum > 31 && signum < SIGRTMIN))
        return false;
    return signum < SIGRTMAX || !is_instrumented(); /* valgrind uses the last one */
}

START_TEST(every_signal_that_can_be_caught_has_a_handler)
{
    sel_selector *sel = open_selector(_i);

    for (int signum = 1; signum < NSIG; signum++) {
        if (!can_be_caught(signum))
            continue;
        assert_ok(sel_add_signal_handler(sel, signum, note, "s"));
        raise(signum);
        ck_assert_int_eq(wait_and_pass(sel), 1);
        assert_noted("s");
        assert_ok(sel_remove_signal_handler(sel, signum));
    }
    assert_ok(sel_close(sel));
}
END_TEST

/* --- in the handler's own task --- */

static void remove_itself(sel_selector *sel, void *data)
{
    note(sel, data);
    assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
    assert_error(sel_remove_signal_handler(sel, SIGUSR1), ENOENT);
}

static void replace_itself(sel_selector *sel, void *unused)
{
    (void)unused;
    note(sel, "r");
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, remove_itself, "i"));
    raise(SIGUSR1);
}

START_TEST(a_handler_can_replace_and_remove_itself)
{
    sel_selector *sel = open_selector(_i);

    for (int round = 0; round < 2; round++) {
        assert_ok(sel_add_signal_handler(sel, SIGUSR1, replace_itself, NULL));
        raise(SIGUSR1);
        ck_assert_int_eq(wait_and_pass(sel), 1);
        assert_noted("r"); /* what arrives while it runs is for the next pass */
        assert_ok(sel_run(sel));
        assert_noted("i");
    }
    assert_ok(sel_close(sel));
}
END_TEST

static const int pair[2] = {SIGUSR1, SIGUSR2};

static void remove_other(sel_selector *sel, void *data)
{
    const int *other = data;

    note(sel, "s");
    assert_ok(sel_remove_signal_handler(sel, *other));
}

/* Whichever is called first, the other is not called. */
START_TEST(a_handler_can_remove_another_whose_signal_has_come)
{
    for (int first = 0; first < 2; first++) {
        sel_selector *sel = open_selector(_i);

        assert_ok(sel_add_signal_handler(sel, SIGUSR1, remove_other, (void *)&pair[1]));
        assert_ok(sel_add_signal_handler(sel, SIGUSR2, remove_other, (void *)&pair[0]));
        raise(pair[first]);
        raise(pair[!first]);
        ck_assert_int_eq(wait_and_pass(sel), 1);
        assert_noted("s");
        ck_assert_int_eq(pass(sel), 0);
        assert_ok(sel_close(sel));
    }
}
END_TEST

static void remove_and_look(sel_selector *sel, void *unused)
{
    (void)unused;
    assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
    raise(SIGUSR2);
    sel_get_timeout(sel);
    sel_is_alive(sel);
}

/* The loop runs for the handle that closes, and takes in the other signal. */
START_TEST(a_signal_that_comes_while_a_handler_runs_is_not_lost)
{
    sel_selector *sel = open_selector(_i);

    assert_ok(sel_add_signal_handler(sel, SIGUSR1, remove_and_look, NULL));
    assert_ok(sel_add_signal_handler(sel, SIGUSR2, note, "2"));
    raise(SIGUSR1);
    ck_assert_int_eq(wait_and_pass(sel), 1);
    assert_noted("");
    ck_assert_int_eq(wait_and_pass(sel), 1);
    assert_noted("2");
    assert_quiet(sel, 0.01);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_stop_in_a_handler_ends_the_run)
{
    sel_selector *sel = open_selector(_i);

    assert_ok(sel_add_signal_handler(sel, SIGTERM, stop, NULL));
    raise(SIGTERM);
    assert_ok(sel_run(sel));
    raise(SIGTERM);
    raise(SIGTERM);
    assert_ok(sel_run(sel));
    assert_ok(sel_close(sel));
}
END_TEST

/* Removing and adding handlers in a pass for one signal leaves the other selector's alone. */
START_TEST(two_selectors_on_one_thread_are_both_told)
{
    sel_selector *sel = open_selector(_i), *other = open_selector(_i);

    assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, "1"));
    assert_ok(sel_add_signal_handler(other, SIGUSR1, note, "2"));
    for (int round = 0; round < 3; round++) {
        raise(SIGUSR1);
        ck_assert_int_eq(wait_and_pass(sel), 1);
        ck_assert_int_eq(wait_and_pass(other), 1);
        assert_noted("12");
    }
    assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
    raise(SIGUSR1);
    ck_assert_int_eq(pass(sel), 0);
    ck_assert_int_eq(wait_and_pass(other), 1);
    assert_noted("2");
    assert_ok(sel_close(sel));
    raise(SIGUSR1);
    ck_assert_int_eq(wait_and_pass(other), 1);
    assert_noted("2");
    assert_ok(sel_close(other));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signals");
    TCase *tcase = new_tcase("signals");

    add_backend_test(tcase, a_handler_runs_in_dispatch_and_not_in_signal_context);
    add_backend_test(tcase, a_signal_during_a_wait_ends_it_if_it_is_handled);
    add_backend_test(tcase, a_second_handler_replaces_the_first);
    add_backend_test(tcase, only_a_handler_of_this_selector_can_be_removed);
    add_backend_test(tcase,
                     a_signal_that_has_come_is_not_told_after_its_handler_was_removed);
    add_backend_test(tcase, what_is_no_signal_or_cannot_be_caught_is_refused);
    add_backend_test(tcase, every_signal_that_can_be_caught_has_a_handler);
    add_backend_test(tcase, a_handler_can_replace_and_remove_itself);
    add_backend_test(tcase, a_handler_can_remove_another_whose_signal_has_come);
    add_backend_test(tcase, a_signal_that_comes_while_a_handler_runs_is_not_lost);
    add_backend_test(tcase, a_stop_in_a_handler_ends_the_run);
    add_backend_test(tcase, two_selectors_on_one_thread_are_both_told);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
