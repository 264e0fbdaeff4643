/* SPDX-License-Identifier: MIT */
/*
 * Signals during a wait: they end none (PEP 475), but sel_wakeup() from a handler ends
 * it, whenever the signal arrives.
 */
#include "support/support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static sel_selector *interrupted;
static volatile sig_atomic_t signals, errno_changes;

static void install(int signum, void (*handler)(int))
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    ck_assert_int_eq(sigaction(signum, &action, NULL), 0);
}

/* 0 microseconds: no more. */
static void alarm_every(suseconds_t microseconds)
{
    const struct itimerval timer = {{0, microseconds}, {0, microseconds}};

    ck_assert_int_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void count_signal(int signum)
{
    (void)signum;
    signals++;
}

/* Twice, so that one call finds the other's wake-up pending. */
static void wake_in_handler(int signum)
{
    int saved_errno = errno;

    count_signal(signum);
    errno = ERANGE;
    sel_wakeup(interrupted);
    sel_wakeup(interrupted);
    errno_changes += errno != ERANGE;
    errno = saved_errno;
}

/* Every 200 microseconds, so also between the last check and the sleep. */
START_TEST(a_wakeup_in_a_signal_handler_ends_the_wait)
{
    int rounds = choose_rounds(300);

    interrupted = open_selector(_i);
    install(SIGALRM, wake_in_handler);
    alarm_every(200);
    for (int i = 0; i < rounds; i++)
        ck_assert_int_eq(sel_select(interrupted, SEL_FOREVER, NULL), 0);
    alarm_every(0);
    ck_assert_int_ge(signals, rounds);
    ck_assert_int_eq(errno_changes, 0);
    assert_ok(sel_close(interrupted));
}
END_TEST

START_TEST(signals_end_no_wait)
{
    sel_selector *sel = open_selector(_i);

    install(SIGALRM, count_signal);
    alarm_every(1000);
    for (int round = 1; round <= 5; round++) {
        double timeout = 0.004 * round;
        int64_t start = now_ns();

        ck_assert_int_eq(sel_select(sel, timeout, NULL), 0);
        ck_assert_int_ge(now_ns() - start, (int64_t)(timeout * 1e9));
    }
    alarm_every(0);
    ck_assert_int_gt(signals, 0);
    assert_ok(sel_close(sel));
}
END_TEST

static int pipe_to_fill;

static void fill_pipe(int signum)
{
    count_signal(signum);
    if (signals == 5)
        signals += write(pipe_to_fill, "x", 1) == 1;
}

START_TEST(what_becomes_ready_in_a_handler_ends_the_wait)
{
    sel_selector *sel = open_selector(_i);
    int ends[2];

    make_pipe(ends);
    pipe_to_fill = ends[1];
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, NULL, NULL));
    install(SIGALRM, fill_pipe);
    alarm_every(1000);
    ck_assert_int_eq(wait_for(sel, ends[0]), SEL_EVENT_READ);
    alarm_every(0);
    ck_assert_int_ge(signals, 6);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("interrupts");
    TCase *tcase = new_tcase("signals during a wait");

    add_backend_test(tcase, a_wakeup_in_a_signal_handler_ends_the_wait);
    add_backend_test(tcase, signals_end_no_wait);
    add_backend_test(tcase, what_becomes_ready_in_a_handler_ends_the_wait);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
