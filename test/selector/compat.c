/* SPDX-License-Identifier: MIT */
/*
 * sel_compat_select(): what select.select() of Python's promises, list by list.
 */
#include "support/journal.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static const int64_t millisecond = 1000000;

/* The three answers, and what they are before a call. */
typedef struct {
    int r[8], w[8], x[8];
    size_t nr, nw, nx;
} answer;

static answer untouched(void)
{
    answer a = {.nr = 77, .nw = 78, .nx = 79};

    for (int i = 0; i < 8; i++)
        a.r[i] = a.w[i] = a.x[i] = -7;
    return a;
}

/* Ask for the same list three times. */
static int ask(const int *list, size_t length, double timeout, answer *a)
{
    return sel_compat_select(list, length, a->r, &a->nr, list, length, a->w, &a->nw,
                             list, length, a->x, &a->nx, timeout);
}

static int ask_to_read(int fd, double timeout)
{
    return sel_compat_select(&fd, 1, NULL, NULL, NULL, 0, NULL, NULL, NULL, 0, NULL, NULL,
                             timeout);
}

START_TEST(each_list_gives_its_ready_ones_in_the_same_order)
{
    answer a = untouched();
    int first[2], second[2], ended[2], list[4];

    make_socketpair(first);
    make_socketpair(second);
    make_pipe(ended);
    put_byte(first[1]);
    put_byte(second[1]);
    fill(second[0]);
    close(ended[1]);
    memcpy(list, (int[]){second[0], ended[0], first[1], first[0]}, sizeof list);
    ck_assert_int_eq(ask(list, 4, SEL_FOREVER, &a), 5);
    ck_assert_uint_eq(a.nr, 3); /* a byte, the end, a byte */
    ck_assert_int_eq(a.r[0], second[0]);
    ck_assert_int_eq(a.r[1], ended[0]);
    ck_assert_int_eq(a.r[2], first[0]);
    ck_assert_uint_eq(a.nw, 2);
    ck_assert_int_eq(a.w[0], first[1]);
    ck_assert_int_eq(a.w[1], first[0]);
    ck_assert_uint_eq(a.nx, 0);
    ck_assert_int_eq(a.r[3], -7);
    ck_assert_int_eq(a.w[2], -7);
    ck_assert_int_eq(a.x[0], -7);
    close_pair(first);
    close_pair(second);
    close(ended[0]);
}
END_TEST

START_TEST(a_byte_out_of_band_is_the_third_lists)
{
    answer a = untouched();
    int ends[2];

    make_tcp_pair(ends);
    ck_assert_int_eq(send(ends[1], "!", 1, MSG_OOB), 1);
    ck_assert_int_eq(sel_compat_select(ends, 1, a.r, &a.nr, NULL, 0, a.w, &a.nw,
                                       ends, 1, a.x, &a.nx, SEL_FOREVER), 1);
    ck_assert_uint_eq(a.nr, 0);
    ck_assert_uint_eq(a.nw, 0);
    ck_assert_uint_eq(a.nx, 1);
    ck_assert_int_eq(a.x[0], ends[0]);
    close_pair(ends);
}
END_TEST

START_TEST(a_descriptor_listed_twice_is_reported_twice)
{
    answer a = untouched();
    int fd = make_eventfd(1), quiet = make_eventfd(0), list[] = {fd, quiet, fd, fd};

    ck_assert_int_eq(ask(list, 4, 0, &a), 7);
    ck_assert_uint_eq(a.nr, 3);
    ck_assert_uint_eq(a.nw, 4);
    for (size_t i = 0; i < a.nr; i++)
        ck_assert_int_eq(a.r[i], fd);
    for (size_t i = 0; i < a.nw; i++)
        ck_assert_int_eq(a.w[i], list[i]);
    close(fd);
    close(quiet);
}
END_TEST

START_TEST(the_answer_may_be_the_list_and_what_is_not_wanted_left_out)
{
    int quiet = make_eventfd(0), ready = make_eventfd(1), list[] = {quiet, ready};
    size_t count = 2;

    ck_assert_int_eq(sel_compat_select(list, count, list, &count, NULL, 0, NULL, NULL,
                                       NULL, 0, NULL, NULL, 0), 1);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(list[0], ready);
    ck_assert_int_eq(list[1], ready);
    list[0] = quiet;
    ck_assert_int_eq(sel_compat_select(list, 2, NULL, NULL, list, 2, NULL, &count,
                                       list, 2, NULL, NULL, 0), 3);
    ck_assert_uint_eq(count, 2);
    close(quiet);
    close(ready);
}
END_TEST

START_TEST(no_wait_is_early_and_zero_or_less_only_looks)
{
    static const double waits[] = {0.02, 0.0003, 0.0015, 0, -1, -HUGE_VAL};
    int fd = make_eventfd(0);

    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        answer a = untouched();
        int64_t before = now_ns();

        ck_assert_int_eq(sel_compat_select(&fd, 1, a.r, &a.nr, NULL, 0, NULL, &a.nw,
                                           &fd, 1, NULL, &a.nx, waits[i]), 0);
        ck_assert_double_ge((double)(now_ns() - before), waits[i] * 1e9);
        ck_assert_uint_eq(a.nr + a.nw + a.nx, 0);
    }
    ck_assert_int_eq(sel_compat_select(NULL, 0, NULL, NULL, NULL, 0, NULL, NULL, NULL, 0,
                                       NULL, NULL, 0.002), 0);
    close(fd);
}
END_TEST

START_TEST(what_is_ready_ends_a_long_wait_at_once)
{
    answer a = untouched();
    int fd = make_eventfd(1);
    int64_t before = now_ns();

    ck_assert_int_eq(sel_compat_select(&fd, 1, a.r, &a.nr, NULL, 0, NULL, NULL, NULL, 0, NULL,
                                       NULL, 60), 1);
    ck_assert_uint_eq(a.nr, 1);
    ck_assert_int_eq(a.r[0], fd);
    ck_assert_int_lt(now_ns() - before, 30000 * millisecond);
    close(fd);
}
END_TEST

/* poll(2) tells of it and select(2) does not, which is what is promised. */
START_TEST(a_hang_up_that_select_does_not_know_is_slept_through)
{
    int64_t before = now_ns();
    effort begun = measure_effort();
    int ends[2];

    make_pipe(ends);
    close(ends[1]);
    ck_assert_int_eq(sel_compat_select(NULL, 0, NULL, NULL, NULL, 0, NULL, NULL, ends, 1, NULL,
                                       NULL, 0.03), 0);
    ck_assert_int_ge(now_ns() - before, 30 * millisecond);
    assert_no_spin(begun, 3);
    close(ends[0]);
}
END_TEST

typedef struct {
    pid_t waiting;
    int fd;
} teller;

static void *tell_when_asleep(void *data)
{
    teller *self = data;

    wait_until_asleep(self->waiting);
    put_byte(self->fd);
    return NULL;
}

/* It tells poll(2) of itself at once: the thread sleeps after that. */
START_TEST(beside_such_a_hang_up_what_comes_later_is_reported)
{
    answer a = untouched();
    int ended[2], ends[2];
    teller other = {.waiting = this_thread()};
    pthread_t thread;

    make_pipe(ended);
    make_pipe(ends);
    close(ended[1]);
    other.fd = ends[1];
    start_thread(&thread, tell_when_asleep, &other);
    ck_assert_int_eq(sel_compat_select(ends, 1, a.r, &a.nr, NULL, 0, NULL, NULL, ended, 1, a.x,
                                       &a.nx, 10), 1);
    join_thread(thread);
    ck_assert_uint_eq(a.nr, 1);
    ck_assert_int_eq(a.r[0], ends[0]);
    ck_assert_uint_eq(a.nx, 0);
    close(ended[0]);
    close_pair(ends);
}
END_TEST

static volatile sig_atomic_t signals;
static int told_by_handler;

static void count_signal(int signum)
{
    (void)signum;
    if (++signals == 5 && told_by_handler >= 0)
        put_byte(told_by_handler);
}

/* A signal each millisecond until stop_signals(). */
static void start_signals(void)
{
    struct sigaction action = {.sa_handler = count_signal};
    struct itimerval each = {{0, 1000}, {0, 1000}};

    signals = 0;
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &each, NULL), 0);
}

static void stop_signals(void)
{
    struct itimerval never = {{0, 0}, {0, 0}};

    ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
    ck_assert(signal(SIGALRM, SIG_DFL) != SIG_ERR);
}

/* TSan holds signals back while pselect(2) waits, valgrind answers EFAULT then. */
START_TEST(a_signal_does_not_end_the_wait)
{
    int64_t before = now_ns();
    int ends[2];

    if (getenv("TEST_INSTRUMENTED") != NULL)
        return;
    make_pipe(ends);
    told_by_handler = -1;
    start_signals();
    ck_assert_int_eq(ask_to_read(ends[0], 0.03), 0);
    ck_assert_int_ge(now_ns() - before, 30 * millisecond);
    stop_signals();
    ck_assert_int_gt(signals, 0);
    told_by_handler = ends[1];
    start_signals();
    ck_assert_int_eq(ask_to_read(ends[0], SEL_FOREVER), 1); /* the fifth signal's byte */
    stop_signals();
    ck_assert_int_ge(signals, 5);
    close_pair(ends);
}
END_TEST

static void assert_refused(const int *list, size_t length, double timeout, int error)
{
    answer a = untouched(), before = untouched();

    assert_error(ask(list, length, timeout, &a), error);
    ck_assert_int_eq(memcmp(&a, &before, sizeof a), 0);
}

START_TEST(what_is_refused_leaves_every_output_alone)
{
    int fd = make_eventfd(1), closed = find_closed_descriptor();

    assert_refused((int[]){fd, -1}, 2, 0, EINVAL);
    assert_refused(&fd, 1, (double)NAN, EINVAL);
    assert_refused((int[]){fd, FD_SETSIZE}, 2, 0, ERANGE);
    assert_refused((int[]){fd, FD_SETSIZE + 1}, 2, 0, ERANGE);
    assert_refused((int[]){fd, closed}, 2, SEL_FOREVER, EBADF);
    assert_refused((int[]){fd, FD_SETSIZE - 1}, 2, SEL_FOREVER, EBADF); /* beyond the table */
    close(fd);
}
END_TEST

enum { THREADS = 4, ROUNDS = 500 };

typedef struct {
    pthread_t thread;
    int ends[2];
    int wrong;
} selecting;

/* Each byte is for this thread alone. */
static void *select_and_read(void *data)
{
    selecting *self = data;

    for (int i = 0; i < ROUNDS; i++) {
        put_byte(self->ends[1]);
        self->wrong += ask_to_read(self->ends[0], SEL_FOREVER) != 1;
        take_byte(self->ends[0]);
        self->wrong += ask_to_read(self->ends[0], 0) != 0;
    }
    return NULL;
}

START_TEST(threads_select_at_the_same_time_and_no_state_is_shared)
{
    selecting all[THREADS] = {{.wrong = 0}};

    for (int i = 0; i < THREADS; i++) {
        make_pipe(all[i].ends);
        ck_assert_int_eq(pthread_create(&all[i].thread, NULL, select_and_read, &all[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(all[i].thread, NULL), 0);
        ck_assert_int_eq(all[i].wrong, 0);
        close_pair(all[i].ends);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("compat");
    TCase *tcase = new_tcase("compat");

    tcase_add_test(tcase, each_list_gives_its_ready_ones_in_the_same_order);
    tcase_add_test(tcase, a_byte_out_of_band_is_the_third_lists);
    tcase_add_test(tcase, a_descriptor_listed_twice_is_reported_twice);
    tcase_add_test(tcase, the_answer_may_be_the_list_and_what_is_not_wanted_left_out);
    tcase_add_test(tcase, no_wait_is_early_and_zero_or_less_only_looks);
    tcase_add_test(tcase, what_is_ready_ends_a_long_wait_at_once);
    tcase_add_test(tcase, a_hang_up_that_select_does_not_know_is_slept_through);
    tcase_add_test(tcase, beside_such_a_hang_up_what_comes_later_is_reported);
    tcase_add_test(tcase, a_signal_does_not_end_the_wait);
    tcase_add_test(tcase, what_is_refused_leaves_every_output_alone);
    tcase_add_test(tcase, threads_select_at_the_same_time_and_no_state_is_shared);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
