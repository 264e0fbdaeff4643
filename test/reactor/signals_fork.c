/* SPDX-License-Identifier: MIT */
/*
 * Signals across a fork. libuv's signal handler writes to a pipe that parent and child
 * share: one of the child's signals would run its parent's tasks.
 */
#include "support/journal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t caught;

static void catch(int signum)
{
    (void)signum;
    caught++;
}

static void install(int signum, void (*handler)(int))
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    ck_assert_int_eq(sigaction(signum, &action, NULL), 0);
}

static bool has_disposition(int signum, void (*handler)(int))
{
    struct sigaction action;

    ck_assert_int_eq(sigaction(signum, NULL, &action), 0);
    return action.sa_handler == handler;
}

/* A selector with a handler for SIGUSR1, where catch() was before. */
static sel_selector *open_listening(int backend, void *letter)
{
    sel_selector *sel = open_selector(backend);

    install(SIGUSR1, catch);
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, letter));
    return sel;
}

static void assert_hears(sel_selector *sel, const char *letter)
{
    raise(SIGUSR1);
    ck_assert_int_eq(wait_and_pass(sel), 1);
    assert_noted(letter);
}

static void assert_hears_nothing(sel_selector *sel)
{
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pass(sel), 0);
    assert_noted("");
}

/* Nothing that is left to do ends a wait. */
static void assert_waits(sel_selector *sel)
{
    int64_t begin = now_ns();

    ck_assert_int_eq(sel_select(sel, 0.01, NULL), 0);
    ck_assert_int_ge(now_ns() - begin, 10000000);
}

/* Nothing arrived from the child, and the parent's handler works as before. */
static void assert_unharmed(sel_selector *sel, const char *letter)
{
    assert_hears_nothing(sel);
    assert_hears(sel, letter);
    ck_assert_int_eq(caught, 0);
}

static pid_t fork_child(void)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    return pid;
}

START_TEST(until_the_selector_follows_a_signal_has_its_old_disposition)
{
    sel_selector *sel = open_listening(_i, "p");
    pid_t pid = fork_child();

    if (pid == 0) {
        for (int i = 0; i < 10; i++)
            raise(SIGUSR1);
        ck_assert_int_eq(caught, 10);
        assert_error(sel_add_signal_handler(sel, SIGUSR1, never, NULL), ECHILD);
        assert_error(sel_remove_signal_handler(sel, SIGUSR1), ECHILD);
        assert_ok(sel_close(sel));
        raise(SIGUSR1);
        ck_assert_int_eq(caught, 11);
        _exit(0);
    }
    assert_child_succeeds(pid);
    assert_unharmed(sel, "p");
    assert_ok(sel_close(sel));
    ck_assert(has_disposition(SIGUSR1, catch));
}
END_TEST

/* The default is to end the process: only the child's ends. */
START_TEST(a_signal_that_ends_processes_ends_the_child_alone)
{
    sel_selector *sel = open_selector(_i);
    int status;
    pid_t pid;

    assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, "p"));
    pid = fork_child();
    if (pid == 0) {
        raise(SIGUSR1);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
    assert_unharmed(sel, "p");
    assert_ok(sel_close(sel));
}
END_TEST

static void listen_in_child(sel_selector *sel)
{
    assert_ok(sel_after_fork(sel));
    assert_hears_nothing(sel);
    for (int i = 0; i < 3; i++)
        assert_hears(sel, "p"); /* the letter from before the fork */
    ck_assert_int_eq(caught, 0);
    ck_assert_int_eq(kill(getppid(), SIGUSR1), 0);
    assert_hears_nothing(sel);
    assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
    ck_assert(has_disposition(SIGUSR1, catch));
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, "c"));
    assert_hears(sel, "c");
    assert_ok(sel_close(sel));
    ck_assert(has_disposition(SIGUSR1, catch));
}

START_TEST(after_sel_after_fork_each_process_hears_its_own_signals)
{
    sel_selector *sel = open_listening(_i, "p");
    pid_t pid = fork_child();

    if (pid == 0) {
        listen_in_child(sel);
        _exit(0);
    }
    assert_child_succeeds(pid);
    ck_assert_int_eq(wait_and_pass(sel), 1); /* the one that the child sent here */
    assert_noted("p");
    assert_unharmed(sel, "p");
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_signal_before_the_fork_is_the_parents)
{
    for (int follows = 0; follows < 2; follows++) {
        sel_selector *sel = open_listening(_i, "p");
        pid_t pid;

        raise(SIGUSR1);
        pid = fork_child();
        if (pid == 0) {
            if (follows) {
                assert_ok(sel_after_fork(sel));
                assert_hears(sel, "p");
            }
            assert_ok(sel_close(sel));
            _exit(0);
        }
        assert_child_succeeds(pid);
        ck_assert_int_eq(wait_and_pass(sel), 1);
        assert_noted("p");
        assert_unharmed(sel, "p");
        assert_ok(sel_close(sel));
    }
}
END_TEST

/* Which one follows, and whether the other is closed before, between or after. */
static void follow_with_one(sel_selector *const sels[2], int follower, int closing)
{
    sel_selector *sel = sels[follower], *other = sels[!follower];
    const char *letter = follower == 0 ? "0" : "1";

    if (closing == 0)
        assert_ok(sel_close(other));
    assert_ok(sel_after_fork(sel));
    assert_hears(sel, letter);
    if (closing == 1) {
        assert_ok(sel_close(other));
        assert_hears(sel, letter);
    }
    assert_ok(sel_close(sel));
    ck_assert(has_disposition(SIGUSR1, catch));
    if (closing == 2) {
        assert_error(sel_select(other, 0, NULL), ECHILD);
        assert_ok(sel_after_fork(other));
        assert_hears(other, follower == 0 ? "1" : "0");
        assert_ok(sel_close(other));
    }
    ck_assert(has_disposition(SIGUSR1, catch));
    ck_assert_int_eq(caught, 0);
}

/* What a wait has taken in, and no dispatch has called yet. */
START_TEST(a_signal_that_a_wait_took_in_before_the_fork_is_the_parents)
{
    for (int removed = 0; removed < 2; removed++) {
        sel_selector *sel = open_listening(_i, "p");
        pid_t pid;

        raise(SIGUSR1);
        ck_assert_int_eq(sel_select(sel, 10, NULL), 0);
        if (removed)
            assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
        pid = fork_child();
        if (pid == 0) {
            assert_ok(sel_after_fork(sel));
            assert_hears_nothing(sel);
            assert_waits(sel);
            if (!removed)
                assert_hears(sel, "p");
            assert_ok(sel_close(sel));
            _exit(0);
        }
        assert_child_succeeds(pid);
        ck_assert_int_eq(sel_dispatch(sel), !removed);
        assert_noted(removed ? "" : "p");
        assert_waits(sel);
        assert_ok(sel_close(sel));
    }
}
END_TEST

START_TEST(of_two_selectors_one_may_follow_the_fork)
{
    sel_selector *sels[2] = {open_listening(_i, "0"), open_selector(_i)};

    assert_ok(sel_add_signal_handler(sels[1], SIGUSR1, note, "1"));
    for (int round = 0; round < 6; round++) {
        pid_t pid = fork_child();

        if (pid == 0) {
            follow_with_one(sels, round % 2, round / 2);
            _exit(0);
        }
        assert_child_succeeds(pid);
        assert_hears_nothing(sels[0]);
        assert_hears_nothing(sels[1]);
    }
    raise(SIGUSR1);
    ck_assert_int_eq(wait_and_pass(sels[0]), 1);
    ck_assert_int_eq(wait_and_pass(sels[1]), 1);
    assert_noted("01");
    assert_ok(sel_close(sels[0]));
    assert_ok(sel_close(sels[1]));
    ck_assert(has_disposition(SIGUSR1, catch));
}
END_TEST

/* While the parent's selector still has a handler that nobody removed. */
START_TEST(a_selector_opened_in_the_child_hears_signals)
{
    sel_selector *sel = open_listening(_i, "p");
    pid_t pid = fork_child();

    if (pid == 0) {
        sel_selector *own = open_selector(_i);

        assert_ok(sel_add_signal_handler(own, SIGUSR1, note, "c"));
        assert_hears(own, "c");
        ck_assert_int_eq(caught, 0);
        assert_ok(sel_close(own));
        ck_assert(has_disposition(SIGUSR1, catch));
        assert_ok(sel_close(sel));
        ck_assert(has_disposition(SIGUSR1, catch));
        _exit(0);
    }
    assert_child_succeeds(pid);
    assert_unharmed(sel, "p");
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_grandchild_hears_its_own_signals_too)
{
    sel_selector *sel = open_listening(_i, "p");
    pid_t pid = fork_child();

    if (pid == 0) {
        assert_ok(sel_after_fork(sel));
        pid = fork_child();
        if (pid == 0) {
            raise(SIGUSR1);
            ck_assert_int_eq(caught, 1);
            assert_ok(sel_after_fork(sel));
            assert_hears(sel, "p");
            assert_ok(sel_close(sel));
            _exit(0);
        }
        assert_child_succeeds(pid);
        assert_unharmed(sel, "p");
        assert_ok(sel_close(sel));
        _exit(0);
    }
    assert_child_succeeds(pid);
    assert_unharmed(sel, "p");
    assert_ok(sel_close(sel));
}
END_TEST

/* Removed before the fork, it does not come back with sel_after_fork(). */
START_TEST(a_handler_that_was_removed_stays_removed_in_the_child)
{
    sel_selector *sel = open_listening(_i, "p");
    pid_t pid;

    assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
    pid = fork_child();
    if (pid == 0) {
        assert_ok(sel_after_fork(sel));
        raise(SIGUSR1);
        ck_assert_int_eq(caught, 1);
        assert_hears_nothing(sel);
        assert_error(sel_remove_signal_handler(sel, SIGUSR1), ENOENT);
        assert_ok(sel_run(sel));
        assert_ok(sel_close(sel));
        _exit(0);
    }
    assert_child_succeeds(pid);
    assert_hears_nothing(sel);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signals_fork");
    TCase *tcase = new_tcase("signals across a fork");

    add_backend_test(tcase,
                     until_the_selector_follows_a_signal_has_its_old_disposition);
    add_backend_test(tcase, a_signal_that_ends_processes_ends_the_child_alone);
    add_backend_test(tcase, after_sel_after_fork_each_process_hears_its_own_signals);
    add_backend_test(tcase, a_signal_before_the_fork_is_the_parents);
    add_backend_test(tcase, a_signal_that_a_wait_took_in_before_the_fork_is_the_parents);
    add_backend_test(tcase, of_two_selectors_one_may_follow_the_fork);
    add_backend_test(tcase, a_selector_opened_in_the_child_hears_signals);
    add_backend_test(tcase, a_grandchild_hears_its_own_signals_too);
    add_backend_test(tcase, a_handler_that_was_removed_stays_removed_in_the_child);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
