/* SPDX-License-Identifier: MIT */
/*
 * A program that the kernel, a debugger or a busy machine holds up at the worst moment:
 * just after it has read the clock. What it then knows is out of date, and a deadline
 * between two readings must not turn into a wait without end. Or the program is stopped
 * in the middle of a wait.
 */
#include "support/support.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long each reading of the clock is held up. */
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

/* The child's part: one wait, which must not be early. */
static _Noreturn void wait_to_be_stopped(int i, int64_t wait_ns, int begin)
{
    const double timeout = (double)wait_ns / 1e9;
    sel_selector *sel = i < BACKENDS ? open_selector(i) : NULL;
    int fd = make_eventfd(0);
    int64_t start;
    int count;

    if (sel != NULL)
        assert_ok(sel_register(sel, fd, SEL_EVENT_READ, NULL, NULL));
    put_byte(begin);
    start = now_ns();
    count = sel != NULL ? sel_select(sel, timeout, NULL) :
                          sel_compat_select(&fd, 1, NULL, NULL, NULL, 0, NULL, NULL, NULL, 0,
                                            NULL, NULL, timeout);
    count = count != 0 || now_ns() - start < wait_ns;
    sel_close(sel);
    _exit(count);
}

/* Until the kernel says that the process sleeps, which it does only in its wait. */
static void wait_until_it_waits(pid_t pid, int begun)
{
    char path[64], line[256], state = 0;

    take_byte(begun);
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    while (state != 'S') {
        FILE *file = fopen(path, "re");

        ck_assert_ptr_nonnull(file);
        ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
        fclose(file);
        state = strrchr(line, ')')[2];
    }
}

static void sleep_until(int64_t when)
{
    const struct timespec deadline = {.tv_sec = (time_t)(when / 1000000000),
                                      .tv_nsec = (long)(when % 1000000000)};

    ck_assert_int_eq(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL), 0);
}

/* How long such a wait, stopped past its deadline, goes on when the process continues. */
static int64_t measure_rest(int i, int64_t wait_ns)
{
    int64_t continued;
    int begin[2], status;
    pid_t child;

    make_pipe(begin);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        wait_to_be_stopped(i, wait_ns, begin[1]);
    wait_until_it_waits(child, begin[0]);
    ck_assert_int_eq(kill(child, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
    ck_assert_msg(WIFSTOPPED(status), "ended, status %#x, and was not stopped",
                  (unsigned int)status);
    sleep_until(now_ns() + wait_ns);
    continued = now_ns();
    ck_assert_int_eq(kill(child, SIGCONT), 0);
    assert_child_succeeds(child);
    close_pair(begin);
    return now_ns() - continued;
}

/*
 * ppoll() and pselect() went on for as long as was left when the process was stopped,
 * by a shell's ^Z and fg, a debugger or a frozen container, for example. That is nearly
 * all of the wait, however long it is; what a busy machine adds is not.
 */
static void assert_over_when_continued(int i)
{
    const int64_t longest_ns = INT64_C(4800000000);
    int64_t wait_ns = 600000000;

    while (measure_rest(i, wait_ns) >= wait_ns / 2) {
        wait_ns *= 2;
        ck_assert_int_le(wait_ns, longest_ns);
    }
}

START_TEST(a_wait_that_was_stopped_past_its_deadline_is_over)
{
    assert_over_when_continued(_i);
}
END_TEST

START_TEST(pythons_select_that_was_stopped_past_its_deadline_is_over)
{
    assert_over_when_continued(BACKENDS);
}
END_TEST

/* Where poll() is ppoll(), because the kernel has no other, nothing keeps a deadline. */
#ifdef SYS_poll
enum { KEEP_DEADLINES = BACKENDS, PYTHONS = 1 };
#else
enum { KEEP_DEADLINES = FIRST_WITHOUT_FILENO, PYTHONS = 0 };
#endif

int main(void)
{
    Suite *suite = suite_create("preempted");
    TCase *tcase = new_tcase("held up");

    add_backend_test(tcase, a_wait_held_up_between_two_looks_at_the_clock_ends);
    add_test_between(tcase, a_wait_that_was_stopped_past_its_deadline_is_over, 0,
                     KEEP_DEADLINES);
    tcase_add_loop_test(tcase, pythons_select_that_was_stopped_past_its_deadline_is_over, 0,
                        PYTHONS);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
