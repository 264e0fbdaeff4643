/* SPDX-License-Identifier: MIT */
/*
 * The C twins of those of CPython's test_selectors.py that wait: each test
 * there has one of the same name, here or in test_selectors.c.  Waits are a
 * twentieth as long as CPython's, and a wait here may not be early at all.
 */
#include "support/support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static const int64_t millisecond = 1000000; /* ns */

START_TEST(test_select)
{
    sel_selector *sel = open_selector(_i);
    const sel_ready *ready;
    int ends[2];

    make_socketpair(ends);
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, NULL, NULL));
    assert_ok(sel_register(sel, ends[1], SEL_EVENT_WRITE, NULL, NULL));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, &ready), 1);
    ck_assert_int_eq(ready[0].key.fd, ends[1]);
    ck_assert_int_eq(ready[0].key.events, SEL_EVENT_WRITE);
    ck_assert_int_eq(ready[0].mask, SEL_EVENT_WRITE);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

/* https://github.com/python/cpython/issues/110038; one entry here, never two. */
START_TEST(test_select_read_write)
{
    sel_selector *sel = open_selector(_i);
    const sel_ready *ready;
    int ends[2];

    make_socketpair(ends);
    ck_assert_int_eq(send(ends[1], "foo", 3, 0), 3);
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ | SEL_EVENT_WRITE, NULL, NULL));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, &ready), 1);
    ck_assert_int_eq(ready[0].key.fd, ends[0]);
    ck_assert_int_eq(ready[0].mask, SEL_EVENT_READ | SEL_EVENT_WRITE);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST


enum { SOCKETS = 12 };

typedef struct {
    int ends[SOCKETS][2]; /* [i][0] reads what [i][1] writes */
    bool done[SOCKETS];
} socket_table;

/* The n-th pair that is ready for `event`; n wraps round. */
static int find_ready(const socket_table *table, const sel_ready *ready, int count,
                      int event, int n)
{
    int fds[2 * SOCKETS], matches = 0, end = event == SEL_EVENT_WRITE;

    for (int i = 0; i < count; i++)
        if (ready[i].mask & event)
            fds[matches++] = ready[i].key.fd;
    ck_assert_int_gt(matches, 0);
    if (event == SEL_EVENT_READ)
        ck_assert_int_eq(matches, 1);
    for (int i = 0; i < SOCKETS; i++)
        if (table->ends[i][end] == fds[n % matches])
            return i;
    ck_abort_msg("descriptor %d is ready and nobody's", fds[n % matches]);
}

static void pass_one_message(sel_selector *sel, socket_table *table, int round)
{
    static const char message[] = " This is a test.";
    char received[sizeof message];
    const sel_ready *ready;
    int count = sel_select(sel, SEL_FOREVER, &ready);
    int i = find_ready(table, ready, count, SEL_EVENT_WRITE, round * 7);

    ck_assert(!table->done[i]);
    ck_assert_int_eq(write(table->ends[i][1], message, sizeof message), sizeof message);
    count = sel_select(sel, SEL_FOREVER, &ready);
    ck_assert_int_eq(find_ready(table, ready, count, SEL_EVENT_READ, 0), i);
    ck_assert_int_eq(read(table->ends[i][0], received, sizeof received), sizeof message);
    ck_assert_str_eq(received, message);
    assert_ok(sel_unregister(sel, table->ends[i][1]));
    assert_ok(sel_unregister(sel, table->ends[i][0]));
    table->done[i] = true;
}

/* CPython takes a random writer; one that rotates is as good and repeatable. */
START_TEST(test_selector)
{
    sel_selector *sel = open_selector(_i);
    socket_table table = {.done = {false}};

    for (int i = 0; i < SOCKETS; i++) {
        make_socketpair(table.ends[i]);
        assert_ok(sel_register(sel, table.ends[i][0], SEL_EVENT_READ, NULL, NULL));
        assert_ok(sel_register(sel, table.ends[i][1], SEL_EVENT_WRITE, NULL, NULL));
    }
    for (int round = 0; round < SOCKETS; round++)
        pass_one_message(sel, &table, round);
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 0);
    assert_ok(sel_close(sel));
    for (int i = 0; i < SOCKETS; i++)
        close_pair(table.ends[i]);
}
END_TEST

/* https://bugs.python.org/issue23009 */
START_TEST(test_empty_select)
{
    sel_selector *sel = open_selector(_i);
    const sel_ready *ready;

    ck_assert_int_eq(sel_select(sel, 0, &ready), 0);
    assert_ok(sel_close(sel));
}
END_TEST

/* https://bugs.python.org/issue29255 */
START_TEST(test_empty_select_timeout)
{
    sel_selector *sel = open_selector(_i);

    assert_quiet(sel, 0.05);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(test_timeout)
{
    sel_selector *sel = open_selector(_i);
    const sel_ready *ready;
    int64_t start = now_ns();
    int ends[2];

    make_socketpair(ends);
    assert_ok(sel_register(sel, ends[1], SEL_EVENT_WRITE, NULL, NULL));
    ck_assert_int_eq(sel_select(sel, 0, &ready), 1);
    ck_assert_int_eq(sel_select(sel, -1, &ready), 1);

    assert_ok(sel_unregister(sel, ends[1]));
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, NULL, NULL));
    ck_assert_int_eq(sel_select(sel, 0, &ready), 0);
    ck_assert_int_eq(sel_select(sel, -1, &ready), 0);
    ck_assert_int_lt(now_ns() - start, 1000 * millisecond);

    start = now_ns();
    ck_assert_int_eq(sel_select(sel, 0.05, &ready), 0);
    ck_assert_int_ge(now_ns() - start, 50 * millisecond);
    ck_assert_int_lt(now_ns() - start, 2000 * millisecond);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

static sel_selector *interrupted;
static volatile sig_atomic_t alarms;

static void count_alarm(int signum)
{
    (void)signum;
    alarms++;
}

static void end_wait(int signum)
{
    int saved_errno = errno;

    count_alarm(signum);
    sel_wakeup(interrupted);
    errno = saved_errno;
}

static void alarm_after(int milliseconds, void (*handler)(int))
{
    struct sigaction action;
    struct itimerval timer = {.it_value = {0, milliseconds * 1000}};

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/*
 * Python's handler raises an exception, which ends select(). C has none: a handler that
 * wants the wait to end calls sel_wakeup().
 */
START_TEST(test_select_interrupt_exc)
{
    sel_selector *sel = interrupted = open_selector(_i);
    const sel_ready *ready;
    int64_t start;
    int ends[2];

    make_socketpair(ends);
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, NULL, NULL));
    start = now_ns();
    alarm_after(50, end_wait);
    ck_assert_int_eq(sel_select(sel, 30, &ready), 0);
    ck_assert_int_ge(now_ns() - start, 50 * millisecond);
    ck_assert_int_lt(now_ns() - start, 10000 * millisecond);
    ck_assert_int_eq(alarms, 1);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

START_TEST(test_select_interrupt_noraise)
{
    sel_selector *sel = open_selector(_i);
    const sel_ready *ready;
    int64_t start;
    int ends[2];

    make_socketpair(ends);
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ, NULL, NULL));
    alarm_after(50, count_alarm);
    start = now_ns();
    ck_assert_int_eq(sel_select(sel, 0.075, &ready), 0);
    ck_assert_int_ge(now_ns() - start, 75 * millisecond);
    ck_assert_int_eq(alarms, 1);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

enum { MANY = 65536 };

/* ScalableSelectorMixIn: all but `select`. */
START_TEST(test_above_fd_setsize)
{
    static int ends[MANY / 2][2];
    sel_selector *sel = open_selector(_i);
    int pairs = limit_count(sel, MANY) / 2;
    const sel_ready *ready;

    for (int i = 0; i < pairs; i++) {
        make_socketpair(ends[i]);
        assert_ok(sel_register(sel, ends[i][0], SEL_EVENT_READ, NULL, NULL));
        assert_ok(sel_register(sel, ends[i][1], SEL_EVENT_WRITE, NULL, NULL));
    }
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, &ready), pairs);
    assert_ok(sel_close(sel));
    for (int i = 0; i < pairs; i++)
        close_pair(ends[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("selectors_select");
    TCase *tcase = new_tcase("CPython's test_selectors.py");

    add_selector_test(tcase, test_select);
    add_selector_test(tcase, test_select_read_write);
    add_selector_test(tcase, test_selector);
    add_selector_test(tcase, test_empty_select);
    add_selector_test(tcase, test_empty_select_timeout);
    add_selector_test(tcase, test_timeout);
    add_selector_test(tcase, test_select_interrupt_exc);
    add_selector_test(tcase, test_select_interrupt_noraise);
    if (may_open(2 * FD_SETSIZE, "test_above_fd_setsize"))
        add_test_between(tcase, test_above_fd_setsize, 0, BACKENDS - 1);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
