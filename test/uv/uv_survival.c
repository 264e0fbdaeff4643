/* SPDX-License-Identifier: MIT */
/*
 * libuv ends the process where other libraries return an error: when the kernel
 * refuses a descriptor that was promised to it, and when it has to close a
 * standard one. What a program can do to a selector must lead to neither.
 */
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, STANDARD = 3, CROWD = 2100, DEEPEST = 8 };

static void fork_off(void (*body)(int i, int closed), int i, int closed)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        body(i, closed);
        _exit(0);
    }
    assert_child_succeeds(pid);
}

/* --- without standard descriptors --- */

/* Bit by bit of `closed`; what a check that fails says goes elsewhere. */
static void close_standard(int closed)
{
    for (int fd = 0; fd < STANDARD; fd++)
        if (closed & 1 << fd)
            close(fd);
}

static void assert_closed(int closed)
{
    for (int fd = 0; fd < STANDARD; fd++)
        ck_assert_int_eq(is_open(fd), !(closed & 1 << fd));
}

static void count(sel_selector *sel, void *data)
{
    ++*(int *)data;
    sel_stop(sel);
}

static void use(sel_selector *sel)
{
    int ends[2], calls = 0;

    make_pipe(ends);
    assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
    ck_assert_int_eq(look(sel, ends[0]), 0);
    put_byte(ends[1]);
    ck_assert_int_eq(look(sel, ends[0]), READ);
    assert_ok(sel_unregister(sel, ends[0]));
    close_pair(ends);
    if (sel_backend_available(SEL_BACKEND_UV)) {
        assert_ok(sel_call_later(sel, 0, count, &calls, NULL));
        assert_ok(sel_run(sel));
        ck_assert_int_eq(calls, 1);
    }
}

static void open_without(int i, int closed)
{
    sel_selector *sel;

    close_standard(closed);
    sel = open_selector(i);
    use(sel);
    assert_ok(sel_close(sel));
    assert_closed(closed);
}

START_TEST(a_selector_works_whichever_standard_descriptors_are_closed)
{
    for (int closed = 0; closed < 1 << STANDARD; closed++)
        fork_off(open_without, _i, closed);
}
END_TEST

static sel_selector *inherited;

static void follow_without(int i, int closed)
{
    (void)i;
    close_standard(closed);
    assert_ok(sel_after_fork(inherited));
    use(inherited);
    assert_ok(sel_close(inherited));
    assert_closed(closed);
}

START_TEST(a_child_follows_whichever_standard_descriptors_it_has_closed)
{
    inherited = open_selector(_i);
    for (int closed = 0; closed < 1 << STANDARD; closed++)
        fork_off(follow_without, _i, closed);
    use(inherited);
    assert_ok(sel_close(inherited));
}
END_TEST

/* --- closed between the fork and the wait --- */

static int fds[CROWD];

/* More than one of libuv's loops holds, where that is allowed. */
static int register_crowd(sel_selector *sel)
{
    int length = limit_count(sel, CROWD);

    for (int j = 0; j < length; j++) {
        fds[j] = make_eventfd(j % 2 == 0);
        assert_ok(sel_register(sel, fds[j], READ, NULL, NULL));
    }
    ck_assert_int_eq(count_ready(sel), length / 2);
    return length;
}

static void close_crowd(int length)
{
    for (int j = 0; j < length; j++)
        close(fds[j]);
}

/* Of those that are not ready: one that is may be told while the parent keeps it open. */
static void spoil_after_follow(int i, int length)
{
    (void)i;
    assert_ok(sel_after_fork(inherited));
    for (int j = 1; j < length; j += 4)
        close(fds[j]);
    move_descriptor(open_always_ready(), fds[3]);
    for (int round = 0; round < 3; round++)
        ck_assert_int_eq(count_ready(inherited), length / 2);
    ck_assert_int_eq(look(inherited, fds[length - 2]), READ);
    assert_ok(sel_close(inherited));
}

START_TEST(what_is_closed_after_a_followed_fork_is_silent_in_the_next_wait)
{
    int length;

    inherited = open_selector(_i);
    length = register_crowd(inherited);
    fork_off(spoil_after_follow, _i, length);
    ck_assert_int_eq(count_ready(inherited), length / 2);
    assert_ok(sel_close(inherited));
    close_crowd(length);
}
END_TEST

/* --- a number that was a key's and is the library's now --- */

/* Numbers that `uv` has had keys for, and that are free. */
static void use_numbers(sel_selector *sel, int length)
{
    int used[8];

    for (int j = 0; j < length; j++) {
        used[j] = make_eventfd(1);
        assert_ok(sel_register(sel, used[j], READ, NULL, NULL));
    }
    ck_assert_int_eq(count_ready(sel), length);
    for (int j = 0; j < length; j++) {
        assert_ok(sel_unregister(sel, used[j]));
        close(used[j]);
    }
}

START_TEST(a_selector_that_grows_may_open_what_was_a_keys_number)
{
    sel_selector *sel = open_selector(_i);
    int length = limit_count(sel, CROWD) - 300;

    raise_descriptor_limit();
    use_numbers(sel, 8);
    for (int j = 0; j < length; j++) {
        int low = make_eventfd(1);

        fds[j] = fcntl(low, F_DUPFD_CLOEXEC, 200);
        close(low);
        assert_ok(sel_register(sel, fds[j], READ, NULL, NULL));
    }
    for (int round = 0; round < 2; round++)
        ck_assert_int_eq(count_ready(sel), length);
    assert_ok(sel_close(sel));
    close_crowd(length);
}
END_TEST

static void follow_and_use(int i, int unused)
{
    (void)i;
    (void)unused;
    assert_ok(sel_after_fork(inherited));
    use(inherited);
    use_numbers(inherited, 8);
    ck_assert_int_eq(count_ready(inherited), 0);
    assert_ok(sel_close(inherited));
}

/* Nor does the child take a number out of the parent's set that it has used again. */
START_TEST(a_child_that_follows_may_open_what_was_a_keys_number)
{
    int fd;

    inherited = open_selector(_i);
    use_numbers(inherited, 8);
    fork_off(follow_and_use, _i, 0);
    fd = make_eventfd(1);
    assert_ok(sel_register(inherited, fd, READ, NULL, NULL));
    ck_assert_int_eq(look(inherited, fd), READ);
    assert_ok(sel_unregister(inherited, fd));
    use_numbers(inherited, 4);
    assert_ok(sel_close(inherited));
    close(fd);
}
END_TEST

static void follow_late(int i, int go)
{
    char byte;

    (void)i;
    ck_assert_int_eq(read(go, &byte, 1), 1);
    assert_ok(sel_after_fork(inherited));
    assert_ok(sel_close(inherited));
}

/* The parent has used the number again before the child follows. */
START_TEST(what_the_child_stops_the_parent_does_not_feel)
{
    int fd = make_eventfd(1), go[2];
    pid_t pid;

    inherited = open_selector(_i);
    make_pipe(go);
    assert_ok(sel_register(inherited, fd, READ, NULL, NULL));
    ck_assert_int_eq(look(inherited, fd), READ);
    assert_ok(sel_unregister(inherited, fd));
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        follow_late(_i, go[0]);
        _exit(0);
    }
    assert_ok(sel_register(inherited, fd, READ, NULL, NULL));
    put_byte(go[1]);
    assert_child_succeeds(pid);
    ck_assert_int_eq(look(inherited, fd), READ);
    assert_ok(sel_close(inherited));
    close_pair(go);
    close(fd);
}
END_TEST

/* --- what the kernel refuses --- */

static int refused; /* which of the tries to add it: the first is 1; none: 0 */
static int victim = -1;
static int to_close = -1; /* what another thread closes just before it is added */

/* In the place of the C library's, for the library and for libuv. */
int epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
    if (refused > 0 && operation == EPOLL_CTL_ADD && fd == victim && --refused == 0) {
        errno = ENOSPC;
        return -1;
    }
    if (operation == EPOLL_CTL_ADD && fd == to_close) {
        close(fd);
        to_close = -1;
    }
    return (int)syscall(SYS_epoll_ctl, set, operation, fd, event);
}

static int nonblocking_moments; /* how often O_NONBLOCK was set, by libuv's way */

int ioctl(int fd, unsigned long request, ...)
{
    void *argument;
    va_list list;

    va_start(list, request);
    argument = va_arg(list, void *);
    va_end(list);
    if (request == FIONBIO)
        nonblocking_moments += *(const int *)argument != 0;
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

/* It is the open file's, which other processes may have. */
START_TEST(only_the_first_registration_of_a_number_sets_nonblock)
{
    sel_selector *sel = open_selector(_i);
    int number = find_closed_descriptor() + 100, ends[2];

    nonblocking_moments = 0;
    for (int round = 0; round < 3; round++) {
        make_pipe(ends);
        move_descriptor(ends[0], number);
        for (int again = 0; again < 2; again++) {
            assert_ok(sel_register(sel, number, READ, NULL, NULL));
            ck_assert_int_eq(count_ready(sel), 0);
            assert_ok(sel_unregister(sel, number));
        }
        close(number);
        close(ends[1]);
    }
    ck_assert_int_eq(nonblocking_moments, backend_at(_i) == SEL_BACKEND_UV);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(what_the_kernel_refuses_to_watch_is_no_key)
{
    sel_selector *sel = open_selector(_i);
    int other = make_eventfd(1), tries = backend_at(_i) == SEL_BACKEND_UV ? 2 : 1;

    assert_ok(sel_register(sel, other, READ, NULL, NULL));
    victim = make_eventfd(1);
    for (int which = 1; which <= tries; which++) {
        refused = which;
        assert_error(sel_register(sel, victim, READ, NULL, NULL), ENOSPC);
        ck_assert_int_eq(refused, 0);
        ck_assert_int_eq(sel_get_map(sel, NULL, 0), 1);
        ck_assert_int_eq(count_ready(sel), 1);
    }
    assert_ok(sel_register(sel, victim, READ, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 2);
    assert_ok(sel_unregister(sel, victim));
    refused = 1; /* its number is known now */
    assert_error(sel_register(sel, victim, READ, NULL, NULL), ENOSPC);
    ck_assert_int_eq(count_ready(sel), 1);
    assert_ok(sel_register(sel, victim, READ, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 2);
    assert_ok(sel_close(sel));
    close(victim);
    close(other);
}
END_TEST

/* libuv stops a handle with an error, which is then put into the set again. */
static sel_selector *register_broken_pipe(int i, int *ret_writer)
{
    sel_selector *sel = open_selector(i);
    int ends[2];

    make_pipe(ends);
    assert_ok(sel_register(sel, ends[1], SEL_EVENT_WRITE, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 1);
    close(ends[0]);
    ck_assert_int_eq(look(sel, ends[1]), SEL_EVENT_WRITE);
    *ret_writer = ends[1];
    return sel;
}

START_TEST(what_the_kernel_refuses_at_a_wait_is_the_waits_error)
{
    sel_selector *sel = register_broken_pipe(_i, &victim);

    refused = 1;
    assert_error(sel_select(sel, 0, NULL), ENOSPC);
    for (int round = 0; round < 2; round++)
        ck_assert_int_eq(look(sel, victim), SEL_EVENT_WRITE);
    assert_ok(sel_close(sel));
    close(victim);
}
END_TEST

START_TEST(what_another_thread_closes_before_it_is_added_is_silent)
{
    int writer;
    sel_selector *sel = register_broken_pipe(_i, &writer);

    to_close = writer;
    assert_quiet(sel, 0.01);
    ck_assert_int_eq(to_close, -1);
    assert_ok(sel_unregister(sel, writer));
    assert_quiet(sel, 0.01);
    assert_ok(sel_close(sel));
}
END_TEST

/* A ghost makes a new set, and what is to go into that is closed meanwhile. */
START_TEST(what_another_thread_closes_while_ghosts_are_driven_out_is_silent)
{
    sel_selector *sel = open_selector(_i);
    int ends[2], copy;

    make_pipe(ends);
    copy = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
    for (int i = 0; i < 2; i++) {
        assert_ok(sel_register(sel, ends[i], READ, NULL, NULL));
        ck_assert_int_eq(count_ready(sel), 0);
    }
    close(ends[0]);
    assert_ok(sel_unregister(sel, ends[0]));
    to_close = ends[1];
    assert_quiet(sel, 0.01);
    ck_assert_int_eq(to_close, -1);
    assert_quiet(sel, 0.01);
    assert_ok(sel_unregister(sel, ends[1]));
    assert_ok(sel_close(sel));
    close(copy);
}
END_TEST

START_TEST(a_refusal_while_ghosts_are_driven_out_is_the_waits)
{
    sel_selector *sel = open_selector(_i);
    int ghost = make_eventfd(1), copy = fcntl(ghost, F_DUPFD_CLOEXEC, 0);

    victim = make_eventfd(1);
    assert_ok(sel_register(sel, ghost, READ, NULL, NULL));
    assert_ok(sel_register(sel, victim, READ, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 2);
    close(ghost);
    assert_ok(sel_unregister(sel, ghost));
    refused = 1;
    assert_error(sel_select(sel, 0, NULL), ENOSPC);
    ck_assert_int_eq(refused, 0);
    for (int round = 0; round < 2; round++)
        ck_assert_int_eq(count_ready(sel), 1);
    assert_ok(sel_close(sel));
    close(victim);
    close(copy);
}
END_TEST

static void follow_twice(int unused, int unused_too)
{
    (void)unused;
    (void)unused_too;
    refused = 1;
    assert_error(sel_after_fork(inherited), ENOSPC);
    assert_error(sel_select(inherited, 0, NULL), ECHILD);
    assert_ok(sel_after_fork(inherited));
    ck_assert_int_eq(look(inherited, victim), READ);
    assert_ok(sel_close(inherited));
}

START_TEST(after_a_refusal_the_fork_can_be_followed_again)
{
    inherited = open_selector(_i);
    victim = make_eventfd(1);
    assert_ok(sel_register(inherited, victim, READ, NULL, NULL));
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(look(inherited, victim), READ);
        fork_off(follow_twice, 0, 0);
    }
    assert_ok(sel_close(inherited));
    close(victim);
}
END_TEST

/* More than libuv takes at a time, some of them in the set that a renewal makes. */
START_TEST(ghosts_of_a_crowd_are_driven_out)
{
    sel_selector *sel = open_selector(_i);
    int length = register_crowd(sel), copies[CROWD / 500 + 1];

    for (int j = 0; j < length; j += 500) {
        copies[j / 500] = fcntl(fds[j], F_DUPFD_CLOEXEC, 0);
        close(fds[j]);
        assert_ok(sel_unregister(sel, fds[j]));
    }
    for (int round = 0; round < 2; round++)
        ck_assert_int_eq(count_ready(sel), length / 2 - (length + 499) / 500);
    assert_ok(sel_close(sel));
    for (int j = 0; j < length; j += 500)
        move_descriptor(copies[j / 500], fds[j]);
    close_crowd(length);
}
END_TEST

static void follow(int length, int unused)
{
    (void)unused;
    assert_ok(sel_after_fork(inherited));
    for (int round = 0; round < 2; round++)
        ck_assert_int_eq(count_ready(inherited), length / 2);
    assert_ok(sel_close(inherited));
}

START_TEST(a_crowd_follows_a_fork)
{
    int length;

    inherited = open_selector(_i);
    length = register_crowd(inherited);
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(count_ready(inherited), length / 2);
        fork_off(follow, length, 0);
    }
    assert_ok(sel_close(inherited));
    close_crowd(length);
}
END_TEST

/* --- what the kernel takes at one time and refuses at another --- */

/* As many selectors around `sel` as the kernel allows; each has waited. */
static int surround(int i, sel_selector *sel, sel_selector *around[DEEPEST])
{
    int depth = 0;
    int error = 0;

    while (error == 0 && depth < DEEPEST) {
        around[depth] = open_selector(i);
        error = sel_register(around[depth], sel_fileno(sel), READ, NULL, NULL);
        sel = around[depth];
        ck_assert_int_ge(sel_select(sel, 0, NULL), 0);
        depth++;
    }
    ck_assert(error == -ELOOP || error == -EINVAL);
    return depth;
}

START_TEST(a_selector_that_has_grown_is_surrounded_before_its_next_wait)
{
    sel_selector *sel = open_selector(_i), *around[DEEPEST];
    int half = CROWD / 2, length, depth;

    raise_descriptor_limit();
    ck_assert_int_eq(count_ready(sel), 0);
    for (length = 0; length < CROWD; length++) {
        fds[length] = make_eventfd(length == half);
        assert_ok(sel_register(sel, fds[length], READ, NULL, NULL));
    }
    depth = surround(_i, sel, around);
    ck_assert_int_eq(count_ready(sel), 1);
    ck_assert_int_eq(look(sel, fds[half]), READ);
    ck_assert_int_eq(count_ready(around[0]), 1);
    while (depth-- > 0)
        assert_ok(sel_close(around[depth]));
    assert_ok(sel_close(sel));
    close_crowd(length);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("uv_survival");
    TCase *tcase = new_tcase("where libuv would end the process");

    add_backend_test(tcase,
                     a_selector_works_whichever_standard_descriptors_are_closed);
    add_backend_test(tcase,
                     a_child_follows_whichever_standard_descriptors_it_has_closed);
    add_backend_test(tcase,
                     what_is_closed_after_a_followed_fork_is_silent_in_the_next_wait);
    add_backend_test(tcase, a_selector_that_grows_may_open_what_was_a_keys_number);
    add_backend_test(tcase, a_child_that_follows_may_open_what_was_a_keys_number);
    add_backend_test(tcase, what_the_child_stops_the_parent_does_not_feel);
    add_backend_test(tcase, only_the_first_registration_of_a_number_sets_nonblock);
    if (may_open(2 * CROWD, "a selector that has grown"))
        add_fileno_test(tcase, a_selector_that_has_grown_is_surrounded_before_its_next_wait);
    /* by epoll_ctl() */
    add_test_between(tcase, what_the_kernel_refuses_to_watch_is_no_key, 0, 2);
    add_test_between(tcase, after_a_refusal_the_fork_can_be_followed_again, 0, 2);
    if (may_open(2 * CROWD, "a crowd")) {
        add_backend_test(tcase, ghosts_of_a_crowd_are_driven_out);
        add_backend_test(tcase, a_crowd_follows_a_fork);
    }
    add_test_between(tcase, what_the_kernel_refuses_at_a_wait_is_the_waits_error, 0, 1);
    add_test_between(tcase, a_refusal_while_ghosts_are_driven_out_is_the_waits, 0, 1);
    add_test_between(tcase, what_another_thread_closes_before_it_is_added_is_silent, 0, 1);
    add_test_between(tcase, what_another_thread_closes_while_ghosts_are_driven_out_is_silent,
                     0, 1);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
