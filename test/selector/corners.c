/* SPDX-License-Identifier: MIT */
/*
 * Corners of the contract that no other suite reaches, found by looking for the
 * library's branches that no test had taken.
 */
#include "support/scarcity.h"
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE, FAR = 100 };

START_TEST(get_key_needs_somewhere_to_put_the_key)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(0);

    assert_ok(sel_register(sel, fd, READ, NULL, NULL));
    assert_error(sel_get_key(sel, fd, NULL), EINVAL);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

/* The kernel already has the file under that number, and returns EEXIST. */
START_TEST(the_same_file_under_the_same_number_is_watched_anew)
{
    int makers[2][2];

    make_pipe(makers[0]);
    makers[1][0] = makers[1][1] = make_eventfd(0);
    for (int kind = 0; kind < 2; kind++) {
        sel_selector *sel = open_selector(_i);
        int fd = fcntl(makers[kind][0], F_DUPFD_CLOEXEC, FAR);

        assert_ok(sel_register(sel, fd, READ, NULL, NULL));
        ck_assert_int_eq(count_ready(sel), 0);
        close(fd);
        assert_ok(sel_unregister(sel, fd));
        ck_assert_int_eq(dup3(makers[kind][0], fd, O_CLOEXEC), fd);
        assert_ok(sel_register(sel, fd, READ, NULL, NULL));
        assert_quiet(sel, 0.01);
        ck_assert_int_eq(write(makers[kind][1], &(uint64_t){1}, 8), 8);
        ck_assert_int_eq(look(sel, fd), READ);
        ck_assert_int_eq(count_ready(sel), 1);
        assert_ok(sel_close(sel));
        close(fd);
    }
    close_pair(makers[0]);
    close(makers[1][0]);
}
END_TEST

/* As many as a batch for one key can hold, and more. */
START_TEST(ghosts_that_fill_the_batch_hide_nobody)
{
    enum { GHOSTS = 100 };
    sel_selector *sel = open_selector(_i);
    int copies[GHOSTS], fd;

    for (int i = 0; i < GHOSTS; i++) {
        int number = make_eventfd(1);

        copies[i] = fcntl(number, F_DUPFD_CLOEXEC, FAR);
        assert_ok(sel_register(sel, number, READ, NULL, NULL));
        close(number);
        assert_ok(sel_unregister(sel, number));
    }
    fd = make_eventfd(1);
    assert_ok(sel_register(sel, fd, READ, NULL, NULL));
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(look(sel, fd), READ);
        ck_assert_int_eq(count_ready(sel), 1);
    }
    assert_ok(sel_close(sel));
    close(fd);
    for (int i = 0; i < GHOSTS; i++)
        close(copies[i]);
}
END_TEST

/*
 * A paused key is one of the program's sets. Meanwhile that set comes to watch the
 * selector, and the kernel refuses circles of sets: for some backends when the circle
 * is made, for some when the key is resumed.
 */
START_TEST(a_circle_of_sets_harms_nobody_else)
{
    sel_selector *sel = open_selector(_i);
    int set = epoll_create1(EPOLL_CLOEXEC), fd = make_eventfd(1);

    ck_assert_int_ge(set, 0);
    assert_ok(sel_register(sel, set, READ, NULL, NULL));
    assert_ok(sel_register(sel, fd, READ, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 1);
    assert_ok(sel_modify(sel, set, 0, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), 1);
    epoll_ctl(set, EPOLL_CTL_ADD, sel_fileno(sel), &(struct epoll_event){.events = EPOLLIN});
    assert_ok(sel_modify(sel, set, READ, NULL, NULL));
    for (int round = 0; round < 3; round++)
        ck_assert_int_eq(look(sel, fd), READ);
    assert_ok(sel_unregister(sel, set));
    ck_assert_int_eq(count_ready(sel), 1);
    assert_ok(sel_close(sel));
    close(set);
    close(fd);
}
END_TEST

static void check_after_fork(sel_selector *sel, const sel_key *key, int mask)
{
    pid_t pid = fork();

    (void)mask;
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        assert_error(sel_unregister(sel, key->fd), ECHILD);
        assert_error(sel_after_fork(sel), EBUSY);
        assert_error(sel_close(sel), EBUSY);
        _exit(0);
    }
    assert_child_succeeds(pid);
}

/*
 * Only epoll knows whether a file can be waited for, and asking it used to take a
 * descriptor for a set.
 */
static void register_without_descriptors(sel_selector *sel)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    int watched[] = {timer, make_eventfd(1), posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    int refused[] = {open_regular_file(), open_always_ready()};

    leave_room(0);
    for (int i = 0; i < 3; i++)
        assert_ok(sel_register(sel, watched[i], READ, NULL, NULL));
    for (int i = 0; i < 2; i++)
        assert_error(sel_register(sel, refused[i], READ, NULL, NULL), EPERM);
    leave_room(AS_BEFORE);
    ck_assert_int_eq(look(sel, watched[1]), READ);
    for (int i = 0; i < 3; i++) {
        assert_ok(sel_unregister(sel, watched[i]));
        close(watched[i]);
    }
    close_pair(refused);
}

START_TEST(without_descriptors_what_can_be_watched_is)
{
    sel_selector *sel = open_selector(_i);
    pid_t pid;

    register_without_descriptors(sel);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        assert_ok(sel_after_fork(sel));
        register_without_descriptors(sel);
        assert_ok(sel_close(sel));
        _exit(0);
    }
    register_without_descriptors(sel);
    assert_child_succeeds(pid);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_child_that_a_callback_forks_cannot_follow_inside_it)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(1);

    assert_ok(sel_register(sel, fd, READ, check_after_fork, NULL));
    ck_assert_int_eq(count_ready(sel), 1);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

/* --- compat --- */

START_TEST(compat_select_can_count_without_telling_which)
{
    int ends[2], ready = -1;
    size_t count = 7;

    make_socketpair(ends);
    ck_assert_int_eq(sel_compat_select(ends, 2, NULL, NULL, ends, 2, NULL, &count, NULL, 0,
                                       &ready, NULL, 0), 2);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(ready, -1);
    close_pair(ends);
}
END_TEST

START_TEST(compat_select_refuses_what_is_no_time)
{
    int fd = make_eventfd(1), ready = -1;
    size_t count = 7;

    assert_error(sel_compat_select(&fd, 1, &ready, &count, NULL, 0, NULL, NULL, NULL, 0, NULL,
                                   NULL, (double)NAN), EINVAL);
    ck_assert_int_eq(ready, -1);
    ck_assert_uint_eq(count, 7);
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("corners");
    TCase *tcase = new_tcase("corners");

    add_backend_test(tcase, get_key_needs_somewhere_to_put_the_key);
    add_backend_test(tcase, the_same_file_under_the_same_number_is_watched_anew);
    add_backend_test(tcase, ghosts_that_fill_the_batch_hide_nobody);
    add_fileno_test(tcase, a_circle_of_sets_harms_nobody_else);
    add_backend_test(tcase, without_descriptors_what_can_be_watched_is);
    add_backend_test(tcase, a_child_that_a_callback_forks_cannot_follow_inside_it);
    tcase_add_test(tcase, compat_select_can_count_without_telling_which);
    tcase_add_test(tcase, compat_select_refuses_what_is_no_time);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
