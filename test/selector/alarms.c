/* SPDX-License-Identifier: MIT */
/*
 * Waits and I/O under a rain of signals, up to a thousand a second. A signal does not
 * end a wait, does not restart it and costs no byte (PEP 475).
 *
 * The handler only counts: all that a signal does to a wait is the kernel's EINTR.
 */
#include "support/support.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static const int64_t microsecond = 1000, millisecond = 1000000, second = 1000000000;

/* How many nanoseconds one wait took; it has nothing to report. */
static int64_t measure(sel_selector *sel, int64_t timeout)
{
    int64_t begin = now_ns();
    int count = sel_select(sel, (double)timeout / 1e9, NULL);
    int64_t elapsed = now_ns() - begin;

    ck_assert_int_eq(count, 0);
    return elapsed;
}

static volatile sig_atomic_t alarms;
static int alarms_at_most;

static void set_interval(int64_t interval)
{
    const struct timeval period = {interval / second, interval % second / microsecond};
    const struct itimerval timer = {.it_interval = period, .it_value = period};

    ck_assert_int_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/* Stops by itself, so that a wait that every signal restarts still ends. */
static void on_alarm(int signum)
{
    const struct itimerval off = {.it_interval = {0, 0}};

    (void)signum;
    alarms++;
    if (alarms == alarms_at_most)
        setitimer(ITIMER_REAL, &off, NULL);
}

static void begin_alarms(int64_t interval, int flags)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};

    alarms = 0;
    alarms_at_most = (int)(10 * second / interval);
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    set_interval(interval);
}

static void end_alarms(void)
{
    set_interval(0);
    signal(SIGALRM, SIG_DFL);
}

static void assert_wait_among_alarms(sel_selector *sel, int64_t interval, int flags)
{
    int64_t elapsed;

    begin_alarms(interval, flags);
    elapsed = measure(sel, 220 * millisecond);
    end_alarms();
    ck_assert_int_gt(alarms, 0);
    ck_assert_int_ge(elapsed, 220 * millisecond);
    ck_assert_int_lt(elapsed, 5 * second);
}

/* libuv's UV_RUN_ONCE returns at a signal: a 500 ms timer after 200. */
START_TEST(signals_neither_end_a_wait_nor_begin_it_anew)
{
    sel_selector *sel = open_selector(_i);
    int silent = make_eventfd(0);

    assert_wait_among_alarms(sel, 50 * millisecond, 0);
    assert_wait_among_alarms(sel, 5 * millisecond, SA_RESTART);
    assert_ok(sel_register(sel, silent, SEL_EVENT_READ, NULL, NULL));
    assert_wait_among_alarms(sel, 50 * millisecond, SA_RESTART);
    assert_wait_among_alarms(sel, 5 * millisecond, 0);
    assert_ok(sel_close(sel));
    close(silent);
}
END_TEST

/* How long a wait of three thirds lasts if one signal arrives after two of them. */
static int64_t measure_beside_alarm(sel_selector *sel, int64_t third)
{
    int64_t elapsed;

    begin_alarms(2 * third, 0);
    alarms_at_most = 1;
    elapsed = measure(sel, 3 * third);
    end_alarms();
    ck_assert_int_eq(alarms, 1);
    ck_assert_int_ge(elapsed, 3 * third);
    return elapsed;
}

/*
 * Restarted, it would last five thirds, every time; stopped from outside, only now and
 * then.
 */
START_TEST(one_signal_late_in_a_wait_leaves_it_its_deadline)
{
    sel_selector *sel = open_selector(_i);
    int64_t third = choose_rounds(3) * 50 * millisecond;
    int tries = 20;

    while (measure_beside_alarm(sel, third) >= 5 * third)
        ck_assert_int_gt(--tries, 0);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(under_a_thousand_signals_a_second_no_wait_is_early)
{
    sel_selector *sel = open_selector(_i);
    int silent = make_eventfd(0);

    assert_ok(sel_register(sel, silent, SEL_EVENT_READ, NULL, NULL));
    begin_alarms(millisecond, 0);
    for (int i = 1; i <= 30; i++) {
        int64_t timeout = i * 700 * microsecond;

        ck_assert_int_ge(measure(sel, timeout), timeout);
    }
    end_alarms();
    ck_assert_int_gt(alarms, 10);
    assert_ok(sel_close(sel));
    close(silent);
}
END_TEST

enum { STREAM = 2 * 1024 * 1024, PIECE = 3001 };

static unsigned char byte_at(int position)
{
    return (unsigned char)(position ^ position >> 8 ^ position >> 16);
}

static void echo_until_end(int fd)
{
    char bytes[PIECE];
    ssize_t length;

    while ((length = read(fd, bytes, sizeof bytes)) > 0)
        for (ssize_t sent = 0, n; sent < length; sent += n)
            if ((n = write(fd, bytes + sent, (size_t)(length - sent))) < 0)
                _exit(1);
    _exit(length == 0 ? 0 : 1);
}

/* Send one piece; returns the new position. */
static int send_some(int fd, int position)
{
    unsigned char bytes[PIECE];
    int length = STREAM - position < PIECE ? STREAM - position : PIECE;
    ssize_t sent;

    for (int i = 0; i < length; i++)
        bytes[i] = byte_at(position + i);
    sent = send(fd, bytes, (size_t)length, MSG_DONTWAIT);
    ck_assert(sent > 0 || errno == EAGAIN || errno == EINTR);
    return sent > 0 ? position + (int)sent : position;
}

static int receive_some(int fd, int position)
{
    unsigned char bytes[PIECE];
    ssize_t length = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);

    ck_assert(length > 0 || errno == EAGAIN || errno == EINTR);
    for (ssize_t i = 0; i < length; i++)
        if (bytes[i] != byte_at(position + (int)i))
            ck_abort_msg("byte %d is wrong", position + (int)i);
    return length > 0 ? position + (int)length : position;
}

static void exchange_stream(sel_selector *sel, int fd)
{
    const sel_ready *ready;
    int sent = 0, received = 0;

    assert_ok(sel_register(sel, fd, SEL_EVENT_READ | SEL_EVENT_WRITE, NULL, NULL));
    while (received < STREAM) {
        ck_assert_int_eq(sel_select(sel, 5, &ready), 1);
        if (ready[0].mask & SEL_EVENT_READ)
            received = receive_some(fd, received);
        if (ready[0].mask & SEL_EVENT_WRITE && sent < STREAM)
            sent = send_some(fd, sent);
        if (sent == STREAM)
            assert_ok(sel_modify(sel, fd, SEL_EVENT_READ, NULL, NULL));
    }
    assert_ok(sel_unregister(sel, fd));
}

START_TEST(under_a_thousand_signals_a_second_no_byte_is_lost)
{
    sel_selector *sel = open_selector(_i);
    int ends[2];
    pid_t child;

    make_socketpair(ends);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        close(ends[0]);
        echo_until_end(ends[1]);
    }
    close(ends[1]);
    begin_alarms(millisecond, 0);
    exchange_stream(sel, ends[0]);
    end_alarms();
    ck_assert_int_gt(alarms, 0);
    close(ends[0]);
    assert_child_succeeds(child);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("alarms");
    TCase *tcase = new_tcase("alarms");

    add_backend_test(tcase, signals_neither_end_a_wait_nor_begin_it_anew);
    add_backend_test(tcase, one_signal_late_in_a_wait_leaves_it_its_deadline);
    add_backend_test(tcase, under_a_thousand_signals_a_second_no_wait_is_early);
    add_backend_test(tcase, under_a_thousand_signals_a_second_no_byte_is_lost);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
