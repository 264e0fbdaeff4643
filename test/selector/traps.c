/* SPDX-License-Identifier: MIT */
/*
 * What libuv does that a thin wrapper would hand on to its user.  The contract
 * says otherwise, and behaviour by behaviour it is proved.  libuv
 *
 *   aborts on a number that was closed or is another file by now
 *      a_number_that_became_a_file_before_its_first_wait_does_no_harm
 *      a_number_that_became_a_file_before_a_change_does_no_harm
 *      a_number_that_was_closed_between_a_change_and_the_wait_does_no_harm
 *      a_number_that_became_another_file_is_silent...         test_descriptors.c
 *   makes 49,152 calls for 1,024 that are ready
 *      all_that_is_ready_comes_in_one_wait
 *      what_is_ready_is_asked_for_once_and_not_forty_eight_times
 *   does not run a loop without an active handle
 *      the_last_keys_are_served_when_all_before_them_are_gone_or_paused
 *   calls every error UV_EBADF and stops the handle
 *      an_error_that_was_taken_is_over..., a_refused_socket_that_tries_again...,
 *      a_key_paused_after_its_error...                        test_errors.c
 *   hides a hang-up from a write-only watcher
 *      what_happens_during_a_wait_ends_it and the others      test_readiness.c
 *   ends a timed run at a signal, and early
 *      signals_neither_end_a_wait_nor_begin_it_anew           test_alarms.c
 *   counts from what it thought the time was
 *      work_before_a_wait_does_not_shorten_it                 test_waits.c
 *   waits for ever when its timer is past due
 *      a_wait_held_up_between_two_looks_at_the_clock_ends     test_preempted.c
 *   leaves O_NONBLOCK set
 *      flags_that_the_program_changes_later_are_its_own
 *      the_descriptors_flags_stay_what_they_are               test_lifetime.c
 *   tells the kernel of every change, also to the same mask
 *      a_change_that_was_undone_says_nothing_to_the_kernel
 *   reports an old file on the new key of its number
 *      the_number_registered_again_sees_only_its_own_file     test_ghosts.c
 *   keeps the memory of a handle until its loop has run
 *      memory_is_flat_...                                     test_endurance.c
 *   never leaves its run while a timer of 0 ms arms itself
 *      a_timer_that_arms_itself_again_without_delay...        test_timers.c
 *
 * What the kernel does, and what went wrong in other event libraries, stands in
 * test_traps_kernel.c.
 */
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE, MANY = 9000 };

/* Beside whatever a test breaks, one descriptor must still be served. */
static int register_healthy(sel_selector *sel)
{
    int fd = make_eventfd(1);

    assert_ok(sel_register(sel, fd, READ, NULL, NULL));
    return fd;
}

static void assert_only_healthy(sel_selector *sel, int healthy)
{
    const sel_ready *ready;

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(sel_select(sel, 5, &ready), 1);
        ck_assert_int_eq(ready[0].key.fd, healthy);
        ck_assert_int_eq(ready[0].mask, READ);
    }
}

static void replace_by_path(int fd, const char *path)
{
    bool is_there = access(path, R_OK) == 0; /* a chroot's /dev may be empty */
    int other = is_there ? open_closed_on_exec(path) : open_always_ready();

    ck_assert_int_eq(dup3(other, fd, O_CLOEXEC), fd);
    close(other);
}

enum { FILES = 3 };

static const char *const files_without_readiness[FILES] = {
    "/dev/null",
    "/",
    "/proc/self/exe",
};

/* epoll_ctl() refuses them with EPERM, and libuv aborts (libuv #5130, #1495). */
START_TEST(a_number_that_became_a_file_before_its_first_wait_does_no_harm)
{
    sel_selector *sel = open_selector(_i);
    int healthy = register_healthy(sel);

    for (int i = 0; i < FILES; i++) {
        int ends[2];

        make_pipe(ends);
        put_byte(ends[1]);
        assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
        replace_by_path(ends[0], files_without_readiness[i]);
        assert_only_healthy(sel, healthy);
        assert_ok(sel_unregister(sel, ends[0]));
        assert_only_healthy(sel, healthy);
        close_pair(ends);
    }
    assert_ok(sel_close(sel));
    close(healthy);
}
END_TEST

START_TEST(a_number_that_became_a_file_before_a_change_does_no_harm)
{
    static const int changes[] = {READ, WRITE, READ | WRITE, 0};
    sel_selector *sel = open_selector(_i);
    int healthy = register_healthy(sel);

    for (int i = 0; i < FILES * 4; i++) {
        int events = changes[i % 4], ends[2];
        bool shows = (events & ~READ) != 0; /* adding events looks at the file */

        make_socketpair(ends);
        put_byte(ends[1]);
        assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
        ck_assert_int_eq(look(sel, ends[0]), READ);
        replace_by_path(ends[0], files_without_readiness[i / 4]);
        assert_error(sel_modify(sel, ends[0], events, NULL, NULL), shows ? EBADF : 0);
        assert_only_healthy(sel, healthy);
        assert_error(sel_unregister(sel, ends[0]), shows ? ENOENT : 0);
        assert_only_healthy(sel, healthy);
        close_pair(ends);
    }
    assert_ok(sel_close(sel));
    close(healthy);
}
END_TEST

START_TEST(a_number_that_was_closed_between_a_change_and_the_wait_does_no_harm)
{
    sel_selector *sel = open_selector(_i);
    int healthy = register_healthy(sel);
    int ends[2];

    make_socketpair(ends);
    put_byte(ends[1]);
    assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
    ck_assert_int_eq(look(sel, ends[0]), READ);
    assert_ok(sel_modify(sel, ends[0], WRITE, NULL, NULL));
    close(ends[0]);
    assert_only_healthy(sel, healthy);
    assert_error(sel_modify(sel, ends[0], READ | WRITE, NULL, NULL), EBADF);
    assert_error(sel_unregister(sel, ends[0]), ENOENT);
    assert_only_healthy(sel, healthy);
    assert_ok(sel_close(sel));
    close(ends[1]);
    close(healthy);
}
END_TEST

static int fds[MANY];

static void register_many(sel_selector *sel, int count)
{
    for (int i = 0; i < count; i++) {
        fds[i] = make_eventfd(1);
        assert_ok(sel_register(sel, fds[i], READ, NULL, NULL));
    }
}

static void close_many(int count)
{
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

/* Exactly `count` pairs, each of another descriptor. */
static void assert_each_once(sel_selector *sel, int count)
{
    static bool seen[65536];
    const sel_ready *ready;

    memset(seen, 0, sizeof seen);
    ck_assert_int_eq(sel_select(sel, 5, &ready), count);
    for (int i = 0; i < count; i++) {
        ck_assert(!seen[ready[i].key.fd]);
        ck_assert_int_eq(ready[i].mask, READ);
        seen[ready[i].key.fd] = true;
    }
}

START_TEST(all_that_is_ready_comes_in_one_wait)
{
    static const int counts[] = {100, 999, 1000, 1001, 1002, 1003, 1023, 1024, 2000, MANY};

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        sel_selector *sel = open_selector(_i);
        int count = limit_count(sel, counts[i]);

        register_many(sel, count);
        for (int round = 0; round < 3; round++)
            assert_each_once(sel, count);
        for (int paused = 0; paused < count; paused += 2)
            assert_ok(sel_modify(sel, fds[paused], 0, NULL, NULL));
        assert_each_once(sel, count / 2);
        assert_ok(sel_close(sel));
        close_many(count);
    }
}
END_TEST

/* All calls to these in this process, the library's and libuv's, come through here. */
static int controls, waits;

int epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
    controls++;
    return (int)syscall(SYS_epoll_ctl, set, operation, fd, event);
}

int epoll_pwait(int set, struct epoll_event *events, int length, int timeout,
                const sigset_t *mask)
{
    waits++;
    return (int)syscall(SYS_epoll_pwait, set, events, length, timeout, mask, _NSIG / 8);
}

int epoll_wait(int set, struct epoll_event *events, int length, int timeout)
{
    return epoll_pwait(set, events, length, timeout, NULL);
}

/*
 * libuv takes 1,024 events at a time and asks again while it gets as many, 48
 * times: with 2,000 descriptors left ready that is 49,152 callbacks in one run.
 */
START_TEST(what_is_ready_is_asked_for_once_and_not_forty_eight_times)
{
    static const int counts[] = {1024, 2000, MANY};

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        sel_selector *sel = open_selector(_i);
        int count = limit_count(sel, counts[i]);

        register_many(sel, count);
        assert_each_once(sel, count);
        waits = 0;
        assert_each_once(sel, count);
        ck_assert_int_le(waits, 4 + count / 200);
        assert_ok(sel_close(sel));
        close_many(count);
    }
}
END_TEST

/* A libuv loop without an active handle is not looked at. */
START_TEST(the_last_keys_are_served_when_all_before_them_are_gone_or_paused)
{
    sel_selector *sel = open_selector(_i);
    int count = limit_count(sel, 2100);
    int last = count - 50;

    register_many(sel, count);
    for (int i = 0; i < last; i++) {
        if (i % 2 == 0)
            assert_ok(sel_unregister(sel, fds[i]));
        else
            assert_ok(sel_modify(sel, fds[i], 0, NULL, NULL));
    }
    assert_each_once(sel, 50);
    for (int i = 0; i < last; i += 2)
        assert_ok(sel_register(sel, fds[i], READ, NULL, NULL));
    assert_each_once(sel, 50 + (last + 1) / 2);
    assert_ok(sel_close(sel));
    close_many(count);
}
END_TEST

/* If F_SETFL restored the flags from the registration, it would undo these. */
START_TEST(flags_that_the_program_changes_later_are_its_own)
{
    static const int flags[] = {O_NONBLOCK, O_APPEND, O_NONBLOCK | O_APPEND, 0};
    sel_selector *sel = open_selector(_i);
    int ends[2];

    make_socketpair(ends);
    for (int i = 0; i < 4; i++) {
        int wanted = fcntl(ends[0], F_GETFL);

        assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
        ck_assert_int_eq(fcntl(ends[0], F_GETFL), wanted);
        ck_assert_int_eq(fcntl(ends[0], F_SETFL, flags[i]), 0);
        wanted = fcntl(ends[0], F_GETFL);
        for (int events = EVERY_EVENT; events >= 0; events--) {
            assert_ok(sel_modify(sel, ends[0], events, NULL, NULL));
            look(sel, ends[0]);
            ck_assert_int_eq(fcntl(ends[0], F_GETFL), wanted);
        }
        assert_ok(sel_unregister(sel, ends[0]));
        look(sel, ends[0]);
        ck_assert_int_eq(fcntl(ends[0], F_GETFL), wanted);
    }
    assert_ok(sel_close(sel));
    ck_assert_int_eq(fcntl(ends[0], F_GETFL), O_RDWR);
    close_pair(ends);
}
END_TEST

START_TEST(a_change_that_was_undone_says_nothing_to_the_kernel)
{
    sel_selector *sel = open_selector(_i);
    int ends[2], before;

    make_socketpair(ends);
    assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
    ck_assert_int_eq(look(sel, ends[0]), 0);
    before = controls;
    for (int i = 0; i < 10; i++) {
        assert_ok(sel_modify(sel, ends[0], READ, NULL, &ends[i % 2]));
        assert_ok(sel_modify(sel, ends[0], READ | WRITE, NULL, NULL));
        assert_ok(sel_modify(sel, ends[0], 0, NULL, NULL));
        assert_ok(sel_modify(sel, ends[0], READ, NULL, NULL));
        ck_assert_int_eq(look(sel, ends[0]), 0);
    }
    ck_assert_int_eq(controls, before);
    put_byte(ends[1]);
    ck_assert_int_eq(look(sel, ends[0]), READ);
    assert_ok(sel_modify(sel, ends[0], WRITE, NULL, NULL));
    ck_assert_int_eq(look(sel, ends[0]), WRITE);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("traps");
    TCase *tcase = new_tcase("traps");

    add_backend_test(tcase,
                     a_number_that_became_a_file_before_its_first_wait_does_no_harm);
    add_backend_test(tcase, a_number_that_became_a_file_before_a_change_does_no_harm);
    add_backend_test(tcase,
                     a_number_that_was_closed_between_a_change_and_the_wait_does_no_harm);
    add_backend_test(tcase, all_that_is_ready_comes_in_one_wait);
    add_backend_test(tcase, what_is_ready_is_asked_for_once_and_not_forty_eight_times);
    add_backend_test(tcase,
                     the_last_keys_are_served_when_all_before_them_are_gone_or_paused);
    add_backend_test(tcase, flags_that_the_program_changes_later_are_its_own);
    add_backend_test(tcase, a_change_that_was_undone_says_nothing_to_the_kernel);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
