/* SPDX-License-Identifier: MIT */
/*
 * A program that the kernel, a debugger or a busy machine holds up at the worst
 * moment: just after it has looked at the clock.  What it then knows is old, and
 * a deadline that lies between two looks must not become a wait without end.
 */
#include "support.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How long each look at the clock is held up. */
static int64_t hold_up_ns;

static int64_t read_kernel_clock(clockid_t clock, struct timespec *ret_time)
{
    if (syscall(SYS_clock_gettime, clock, ret_time) < 0)
        return -1;
    return (int64_t)ret_time->tv_sec * 1000000000 + ret_time->tv_nsec;
}

/* The C library's, for everyone in this program: the library and libuv too. */
int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    struct timespec now;
    int64_t start = read_kernel_clock(clock, ret_time);

    if (start < 0)
        return -1;
    while (hold_up_ns > 0 && read_kernel_clock(clock, &now) - start < hold_up_ns)
        continue;
    return 0;
}

static void assert_waits(int i, double timeout, int64_t hold_up)
{
    sel_selector *sel = open_selector(i);
    int fd = make_eventfd(0);
    int64_t start, end;

    assert_ok(sel_register(sel, fd, SEL_EVENT_READ, NULL, NULL));
    for (int round = 0; round < 5; round++) {
        start = now_ns();
        hold_up_ns = hold_up;
        ck_assert_int_eq(sel_select(sel, timeout, NULL), 0);
        hold_up_ns = 0;
        end = now_ns();
        ck_assert_int_ge(end - start, (int64_t)(timeout * 1e9));
        ck_assert_int_lt(end - start, INT64_C(5000000000));
    }
    assert_ok(sel_close(sel));
    close(fd);
}

START_TEST(a_wait_held_up_between_two_looks_at_the_clock_ends)
{
    static const double timeouts[] = {0.0001, 0.001, 0.0029, 0.01};

    for (size_t j = 0; j < sizeof timeouts / sizeof timeouts[0]; j++)
        for (int64_t hold_up = 500000; hold_up <= 8000000; hold_up *= 4)
            assert_waits(_i, timeouts[j], hold_up);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("preempted");
    TCase *tcase = new_tcase("held up");

    add_backend_test(tcase, a_wait_held_up_between_two_looks_at_the_clock_ends);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
