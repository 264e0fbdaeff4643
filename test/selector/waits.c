/* SPDX-License-Identifier: MIT */
/*
 * How long sel_select() waits, and what a loop around it sees.  A wait must
 * never be early, to the nanosecond; how late it is depends on the machine and
 * is judged nowhere here.
 */
#include "support/support.h"

#include <errno.h>
#include <float.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static const int64_t millisecond = 1000000; /* ns */

START_TEST(nothing_registered_is_a_look_at_once_and_a_wait_that_lasts)
{
    sel_selector *sel = open_selector(_i);
    int64_t start = now_ns();

    ck_assert_int_eq(count_ready(sel), 0);
    ck_assert_int_lt(now_ns() - start, 1000 * millisecond);
    assert_quiet(sel, 0.05);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_timeout_of_zero_or_less_only_looks)
{
    static const double timeouts[] = {0.0, -0.0, -1e-9, -1.0, -1e300, -HUGE_VAL};
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(0);
    const sel_ready *ready;

    assert_ok(sel_register(sel, fd, EVERY_EVENT & ~SEL_EVENT_WRITE, NULL, NULL));
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        int64_t start = now_ns();

        ck_assert_int_eq(sel_select(sel, timeouts[i], &ready), 0);
        ck_assert_int_lt(now_ns() - start, 1000 * millisecond);
    }
    assert_ok(sel_modify(sel, fd, EVERY_EVENT, NULL, NULL));
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++)
        ck_assert_int_eq(sel_select(sel, timeouts[i], &ready), 1);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

START_TEST(nan_is_refused_and_the_next_wait_is_as_ever)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(1);
    const sel_ready *ready = NULL;

    assert_ok(sel_register(sel, fd, SEL_EVENT_READ, NULL, NULL));
    assert_error(sel_select(sel, (double)NAN, &ready), EINVAL);
    assert_error(sel_select(sel, -(double)NAN, &ready), EINVAL);
    ck_assert_ptr_null(ready);
    ck_assert_int_eq(look(sel, fd), SEL_EVENT_READ);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

static int make_alarm(int milliseconds)
{
    struct itimerspec when = {.it_value = {0, milliseconds * 1000000L}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(timerfd_settime(fd, 0, &when, NULL), 0);
    return fd;
}

/*
 * Redis's ae overflowed a large timeout into a short one (redis #12474).  Here
 * are the edges of an int of milliseconds, of 32 and of 64 bits of nanoseconds.
 */
START_TEST(a_huge_timeout_is_a_long_wait)
{
    static const double timeouts[] = {
        4.294967296,  2147483.647,  2147483.648, 4294967.296, 2147483648.0,
        4294967296.0, 9223372036.9, 1e18,        DBL_MAX,     SEL_FOREVER,
    };
    sel_selector *sel = open_selector(_i);
    const sel_ready *ready;

    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        effort before = measure_effort();
        int64_t start = now_ns();
        int fd = make_alarm(20);

        assert_ok(sel_register(sel, fd, SEL_EVENT_READ, NULL, NULL));
        ck_assert_int_eq(sel_select(sel, timeouts[i], &ready), 1);
        ck_assert_int_eq(ready[0].key.fd, fd);
        ck_assert_int_ge(now_ns() - start, 20 * millisecond);
        assert_no_spin(before, 1);
        assert_ok(sel_unregister(sel, fd));
        close(fd);
    }
    assert_ok(sel_close(sel));
}
END_TEST

/* What the other tests go by: each look of each backend's is counted. */
START_TEST(a_spin_is_told_from_a_sleep)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(0);
    effort before;

    assert_ok(sel_register(sel, fd, SEL_EVENT_READ, NULL, NULL));
    for (int waits = 1; waits <= 3; waits++) {
        before = measure_effort();
        for (int i = 0; i < 100; i++)
            ck_assert_int_eq(sel_select(sel, 0, NULL), 0);
        ck_assert(has_spun(before, waits));
        ck_assert(!has_spun(before, 100));
    }
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

START_TEST(no_wait_is_early_by_a_nanosecond)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(0);
    const sel_ready *ready;

    assert_ok(sel_register(sel, fd, SEL_EVENT_READ, NULL, NULL));
    for (int round = 0; round < 20; round++) {
        for (int64_t wanted = 1; wanted < 4 * millisecond; wanted = wanted * 3 + round) {
            int64_t start = now_ns();

            ck_assert_int_eq(sel_select(sel, (double)wanted / 1e9, &ready), 0);
            ck_assert_int_ge(now_ns() - start, wanted);
        }
    }
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

/*
 * A libuv timer counts from the time that its loop remembers, which is when it
 * last looked: 20 ms ago, and a wait of 15 ms is over before it begins.
 */
START_TEST(work_before_a_wait_does_not_shorten_it)
{
    sel_selector *sel = open_selector(_i);
    const sel_ready *ready;

    for (int round = 0; round < 3; round++) {
        int64_t start = now_ns();

        while (now_ns() - start < 20 * millisecond)
            continue;
        start = now_ns();
        ck_assert_int_eq(sel_select(sel, 0.015, &ready), 0);
        ck_assert_int_ge(now_ns() - start, 15 * millisecond);
    }
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(the_pairs_may_be_left_out)
{
    sel_selector *sel = open_selector(_i);
    call_record record = {0};
    int fd = make_eventfd(1);

    assert_ok(sel_register(sel, fd, SEL_EVENT_READ, record_call, &record));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 1);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(record.calls, 1);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

START_TEST(fileno_is_one_descriptor_for_life_or_enotsup)
{
    sel_selector *sel = open_selector(_i);
    const char *name = sel_backend_name(sel);
    int fd = make_eventfd(1), fileno = sel_fileno(sel);

    if (strcmp(name, "poll") == 0 || strcmp(name, "select") == 0) {
        ck_assert_int_eq(fileno, -ENOTSUP);
    } else {
        ck_assert(is_open(fileno));
        assert_ok(sel_register(sel, fd, SEL_EVENT_READ, NULL, NULL));
        ck_assert_int_eq(sel_fileno(sel), fileno);
        ck_assert_int_eq(count_ready(sel), 1);
        assert_ok(sel_unregister(sel, fd));
        assert_ok(sel_after_fork(sel)); /* no fork: nothing changes */
        ck_assert_int_eq(sel_fileno(sel), fileno);
    }
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

static int poll_readable(int fd, int milliseconds)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};

    ck_assert_int_ge(poll(&polled, 1, milliseconds), 0);
    return polled.revents;
}

/* One turn of a loop around: look, sleep, be woken, look again. */
static void assert_woken_by_fileno(sel_selector *sel, int fd)
{
    ck_assert_int_eq(count_ready(sel), 0);
    ck_assert(sel_get_timeout(sel) == SEL_FOREVER);
    ck_assert_int_eq(poll_readable(sel_fileno(sel), 0), 0);
    ck_assert_int_eq(write(fd, &(uint64_t){1}, 8), 8);
    ck_assert_int_eq(poll_readable(sel_fileno(sel), 5000), POLLIN);
    ck_assert_int_eq(look(sel, fd), SEL_EVENT_READ);
    ck_assert_int_eq(read(fd, &(uint64_t){0}, 8), 8);
}

/* More keys than one loop of libuv's serves well: they are spread over several. */
START_TEST(fileno_turns_readable_when_a_look_would_return_pairs)
{
    enum { KEYS = 2500 };
    sel_selector *sel = open_selector(_i);
    int count = limit_count(sel, KEYS), fds[KEYS];

    for (int i = 0; i < count; i++) {
        fds[i] = make_eventfd(0);
        assert_ok(sel_register(sel, fds[i], SEL_EVENT_READ, NULL, NULL));
    }
    for (int i = 0; i < count; i += 357)
        assert_woken_by_fileno(sel, fds[i]);
    for (int i = 0; i < count; i++) {
        assert_ok(sel_unregister(sel, fds[i]));
        if (i % 500 == 499 && i != count - 1)
            assert_woken_by_fileno(sel, fds[count - 1]);
        close(fds[i]);
    }
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(fileno_is_silent_about_a_paused_key_and_a_removed_one)
{
    sel_selector *sel = open_selector(_i);
    int paused = make_eventfd(1), removed = make_eventfd(1);

    assert_ok(sel_register(sel, paused, SEL_EVENT_READ, NULL, NULL));
    assert_ok(sel_register(sel, removed, SEL_EVENT_READ, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 2);
    assert_ok(sel_modify(sel, paused, 0, NULL, NULL));
    assert_ok(sel_unregister(sel, removed));
    ck_assert_int_eq(count_ready(sel), 0);
    ck_assert_int_eq(poll_readable(sel_fileno(sel), 20), 0);
    assert_ok(sel_modify(sel, paused, SEL_EVENT_READ, NULL, NULL));
    ck_assert_int_eq(look(sel, paused), SEL_EVENT_READ);
    assert_ok(sel_close(sel));
    close(paused);
    close(removed);
}
END_TEST

/* --- a sandbox --- */

static rlim_t limit_descriptors(rlim_t number)
{
    struct rlimit limit;
    rlim_t before;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    before = limit.rlim_cur;
    limit.rlim_cur = number;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

static bool asks_the_kernel_anew(sel_selector *sel)
{
    return strcmp(sel_backend_name(sel), "poll") == 0 ||
           strcmp(sel_backend_name(sel), "select") == 0;
}

/* Keys 0 to 19 are sockets, watched for both; 20 is a pipe's end, for all. */
static void assert_waits_are_as_ever(sel_selector *sel, int pairs[][2], int pipe[2],
                                     bool tells_hang_ups)
{
    const int whole = SEL_EVENT_READ | SEL_EVENT_EXCEPT;

    for (int i = 0; i < 20; i++)
        assert_ok(sel_modify(sel, pairs[i][0], SEL_EVENT_READ, NULL, NULL));
    assert_quiet(sel, 0.03);
    ck_assert_int_eq(sel_select(sel, 0.0003, NULL), 0);
    ck_assert_int_eq(count_ready(sel), 0);
    put_byte(pairs[7][1]);
    ck_assert_int_eq(wait_for(sel, pairs[7][0]), SEL_EVENT_READ);
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 1);
    assert_ok(sel_modify(sel, pairs[7][0], SEL_EVENT_WRITE, NULL, NULL));
    ck_assert_int_eq(look(sel, pairs[7][0]), SEL_EVENT_WRITE);
    fill(pairs[7][0]); /* readable, and nobody wants to read it */
    assert_quiet(sel, 0.03);
    assert_ok(sel_wakeup(sel));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    close(pipe[1]);
    ck_assert_int_eq(wait_for(sel, pipe[0]), tells_hang_ups ? whole : SEL_EVENT_READ);
    ck_assert_int_eq(look(sel, pipe[0]), tells_hang_ups ? whole : SEL_EVENT_READ);
    assert_ok(sel_modify(sel, pipe[0], 0, NULL, NULL));
    close(pairs[8][0]);
    assert_quiet(sel, 0.03);
    assert_ok(sel_unregister(sel, pairs[8][0]));
}

/*
 * poll(2) refuses more descriptors than RLIMIT_NOFILE, which sandboxes lower below
 * what is open already: then every wait on `poll` and `select` was -EINVAL.
 */
static void wait_with(int i, rlim_t number)
{
    sel_selector *sel = open_selector(i);
    int pairs[20][2], pipe[2];
    rlim_t before;

    for (int j = 0; j < 20; j++) {
        make_socketpair(pairs[j]);
        assert_ok(sel_register(sel, pairs[j][0], EVERY_EVENT, NULL, NULL));
    }
    make_pipe(pipe);
    assert_ok(sel_register(sel, pipe[0], SEL_EVENT_READ | SEL_EVENT_EXCEPT, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 20);
    before = limit_descriptors(number);
    assert_waits_are_as_ever(sel, pairs, pipe, number > 0 || !asks_the_kernel_anew(sel));
    limit_descriptors(before);
    assert_ok(sel_close(sel));
    close(pipe[0]);
    close(pairs[8][1]);
    for (int j = 0; j < 20; j++)
        if (j != 8)
            close_pair(pairs[j]);
}

START_TEST(fewer_descriptors_allowed_than_are_registered_disturb_no_wait)
{
    wait_with(_i, 10);
}
END_TEST

START_TEST(no_descriptors_allowed_any_more_disturb_no_wait)
{
    wait_with(_i, 0);
}
END_TEST

#ifdef SYS_epoll_pwait2
enum { PWAIT2 = SYS_epoll_pwait2 };
#else
enum { PWAIT2 = 441 };
#endif

/* From here on the process gets this error for it; false: it may make no such rule. */
static bool refuse_pwait2(int error)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PWAIT2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof rules / sizeof rules[0], rules};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

enum { LEFT_OUT = 77 };

static _Noreturn void wait_behind_filter(int i, int error)
{
    sel_selector *sel;
    int fd;

    if (!refuse_pwait2(error))
        _exit(LEFT_OUT);
    sel = open_selector(i);
    fd = make_eventfd(0);
    assert_ok(sel_register(sel, fd, SEL_EVENT_READ, NULL, NULL));
    for (int round = 0; round < 2; round++)
        assert_quiet(sel, 0.02);
    ck_assert_int_eq(write(fd, &(uint64_t){1}, 8), 8);
    ck_assert_int_eq(wait_for(sel, fd), SEL_EVENT_READ);
    assert_ok(sel_close(sel));
    _exit(0);
}

/* Filters that don't know a call say whatever they were told to: EACCES, say. */
START_TEST(a_filter_may_answer_epoll_pwait2_with_any_error)
{
    static const int errors[] = {ENOSYS, EPERM, EACCES, EINVAL, EBADF, EOPNOTSUPP};

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        pid_t child = fork();
        int status;

        ck_assert_int_ge(child, 0);
        if (child == 0)
            wait_behind_filter(_i, errors[i]);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFEXITED(status), "status %#x", (unsigned int)status);
        if (WEXITSTATUS(status) == LEFT_OUT)
            printf("left out: this process may not set a seccomp filter\n");
        else
            ck_assert_int_eq(WEXITSTATUS(status), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("waits");
    TCase *tcase = new_tcase("how long and in whose loop");

    add_backend_test(tcase, nothing_registered_is_a_look_at_once_and_a_wait_that_lasts);
    add_backend_test(tcase, a_timeout_of_zero_or_less_only_looks);
    add_backend_test(tcase, nan_is_refused_and_the_next_wait_is_as_ever);
    add_backend_test(tcase, a_huge_timeout_is_a_long_wait);
    add_backend_test(tcase, a_spin_is_told_from_a_sleep);
    add_backend_test(tcase, no_wait_is_early_by_a_nanosecond);
    add_backend_test(tcase, work_before_a_wait_does_not_shorten_it);
    add_backend_test(tcase, the_pairs_may_be_left_out);
    add_backend_test(tcase, fileno_is_one_descriptor_for_life_or_enotsup);
    add_backend_test(tcase, fewer_descriptors_allowed_than_are_registered_disturb_no_wait);
    add_backend_test(tcase, no_descriptors_allowed_any_more_disturb_no_wait);
    add_test_between(tcase, a_filter_may_answer_epoll_pwait2_with_any_error, 0, 2);
    add_fileno_test(tcase, fileno_turns_readable_when_a_look_would_return_pairs);
    add_fileno_test(tcase, fileno_is_silent_about_a_paused_key_and_a_removed_one);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
