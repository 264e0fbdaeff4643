/* SPDX-License-Identifier: MIT */
/*
 * What the kernel does that a thin wrapper would hand on to its user, and what
 * went wrong in other event libraries.  The contract says otherwise, and
 * behaviour by behaviour it is proved.  The kernel
 *
 *   goes on reporting a file that a duplicate keeps open
 *      a_file_that_a_child_keeps_open_ends_no_wait_of_its_parent
 *      a_ghost_wakes_no_wait_and_costs_no_time                test_ghosts.c
 *   lets nobody mask hang-up and error
 *      a_paused_key_is_silent_about_a_hang_up...              test_events.c
 *   poll: says POLLNVAL for ever; select: EBADF for the whole call
 *      many_closed_ones_among_many_healthy_ones...            test_descriptors.c
 *   FD_SET: writes past FD_SETSIZE
 *      what_an_fd_set_cannot_hold_is_refused_and_memory_left_alone
 *      the_highest_descriptor_of_an_fd_set_is_served
 *   epoll_wait: counts whole milliseconds
 *      a_wait_of_less_than_a_millisecond_sleeps               test_time.c
 *   shares the parent's epoll set with a child
 *      what_the_child_changes_the_parent_does_not_feel        test_fork.c
 *   select: tells no writer of a hang-up
 *      what_happens_during_a_wait_ends_it                     test_readiness.c
 *   tells a change in /proc once, as an error and an urgent condition
 *      a_change_of_the_mounts_is_every_event_once
 *   refuses some devices and takes some regular files
 *      what_epoll_refuses_is_refused_and_nothing_else
 *
 * In other event libraries
 *
 *   a wait with nothing left to watch crashed
 *      with_everything_unregistered_or_paused_a_wait_lasts
 *      a_wait_after_the_last_timer_was_cancelled_lasts        test_cancel.c
 *   a timer of less than a millisecond spun
 *      timers_of_less_than_a_millisecond_do_not_spin          test_timers.c
 *   a very large timeout overflowed
 *      a_huge_timeout_is_a_long_wait                          test_waits.c
 *   a callback removed itself, a later one, an earlier one
 *      a_callback_may_remove_itself_and_the_others            test_batches.c
 *   a number that a callback closed came back in the same pass
 *      a_number_that_comes_back_in_the_same_batch...          test_batches.c
 *   what a callback registered ran at once
 *      what_a_callback_registers_is_called_in_the_next_pass   test_batches.c
 *   the table grew under a key in use
 *      the_array_does_not_move_while_callbacks_register       test_pairs.c
 *   a timer's task armed or cancelled another that was due
 *      a_timer_can_cancel_others_that_are_due...              test_cancel.c
 *   a run was started inside a run
 *      inside_any_callback_run_select_dispatch...             test_run.c
 *   a wake-up before, during and twice before a wait was lost
 *      a_wakeup_before_a_wait_ends_it..., no_wakeup_is_lost   test_threads.c
 *   a signal between the check and the wait was lost
 *      a_wakeup_in_a_signal_handler_ends_the_wait             test_interrupts.c
 *   one signal reached one of two loops
 *      two_selectors_on_one_thread_are_both_told              test_signals.c
 *   work ended after its loop
 *      close_at_any_moment_loses_no_job                       test_executor.c
 *   descriptors survived an exec
 *      nothing_that_is_made_late_survives_an_exec
 *      every_descriptor_of_the_library_is_close_on_exec       test_lifetime.c
 *   memory grew with every registration
 *      memory_is_flat_...                                     test_endurance.c
 *   a READ-only or a WRITE-only watcher was forgotten
 *      each_mask_reports_its_own_events_and_no_other          test_events.c
 */
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE };

static int what_epoll_says(int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    int set = epoll_create1(EPOLL_CLOEXEC);
    int error = epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;

    close(set);
    return error;
}

/* Where there is a kqueue there is no such /proc. */
static bool has_regular_files_wait(int i)
{
    return backend_at(i) != SEL_BACKEND_KQUEUE;
}

static int what_is_said(int i, int fd)
{
    struct stat status;

    ck_assert_int_eq(fstat(fd, &status), 0);
    return S_ISREG(status.st_mode) && !has_regular_files_wait(i) ? -EPERM : what_epoll_says(fd);
}

/*
 * A look at the file's type is not enough: of the devices epoll takes some, and
 * some files of /proc are regular and can be waited for.
 */
START_TEST(what_epoll_refuses_is_refused_and_nothing_else)
{
    static const char *const paths[] = {
        "/",
        "/dev/null",
        "/dev/zero",
        "/dev/urandom",
        "/proc/self/mounts",
        "/proc/self/status",
        "/proc/self/exe",
    };
    sel_selector *sel = open_selector(_i);

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        int fd = open(paths[i], O_RDONLY | O_CLOEXEC), wanted;

        if (fd < 0) /* there may be less in /dev */
            continue;
        wanted = what_is_said(_i, fd);
        ck_assert_msg(sel_register(sel, fd, READ, NULL, NULL) == wanted, "%s: not %d",
                      paths[i], wanted);
        sel_unregister(sel, fd);
        close(fd);
    }
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 0);
    assert_ok(sel_close(sel));
}
END_TEST

/* In mounts of its own; false: it may have none. */
static bool leave_the_mounts(void)
{
    return unshare(CLONE_NEWNS) == 0 &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void mount_beside_mountinfo(int backend, int events)
{
    sel_selector *sel = open_selector(backend);
    int fd = open_closed_on_exec("/proc/self/mountinfo");

    assert_ok(sel_register(sel, fd, events, NULL, NULL));
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(look(sel, fd), READ & events);
    assert_ok(mount("none", "/proc", "tmpfs", 0, NULL));
    ck_assert_int_eq(look(sel, fd), events);
    ck_assert_int_eq(look(sel, fd), READ & events);
    assert_ok(umount("/proc"));
    assert_ok(sel_close(sel));
    close(fd);
}

/*
 * A change in /proc or /sys is an error and an urgent condition, told once: a second
 * look finds neither. libuv showed the urgent condition alone. select(2) can't tell.
 */
START_TEST(a_change_of_the_mounts_is_every_event_once)
{
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (leave_the_mounts())
            for (int events = 1; events <= EVERY_EVENT; events++)
                mount_beside_mountinfo(_i, events);
        _exit(0);
    }
    assert_child_succeeds(child);
}
END_TEST

/*
 * The child is a duplicate that nobody here can close: what epoll can't remove
 * any more it goes on reporting, and every wait comes back at once.
 */
START_TEST(a_file_that_a_child_keeps_open_ends_no_wait_of_its_parent)
{
    sel_selector *sel = open_selector(_i);
    int ends[2], stop[2];
    pid_t child;

    make_pipe(ends);
    make_pipe(stop);
    put_byte(ends[1]);
    assert_ok(sel_register(sel, ends[0], READ, NULL, NULL));
    ck_assert_int_eq(look(sel, ends[0]), READ);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        char byte;

        close(stop[1]);
        _exit(read(stop[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(ends[0]);
    assert_ok(sel_unregister(sel, ends[0]));
    count_ready(sel);
    assert_quiet(sel, 0.1);
    close(ends[1]);
    assert_quiet(sel, 0.1);
    close_pair(stop);
    assert_child_succeeds(child);
    assert_ok(sel_close(sel));
}
END_TEST

/* Two canaries in one frame with everything that select() could write over. */
static void compare_select_beyond(int fd)
{
    int before[64], ready[1] = {-7}, after[64], list[1] = {fd};
    size_t count = 7;

    memset(before, 0x5a, sizeof before);
    memset(after, 0x5a, sizeof after);
    assert_error(sel_compat_select(list, 1, ready, &count, list, 1, ready, &count, list,
                                   1, ready, &count, 0),
                 ERANGE);
    for (int i = 0; i < 64; i++)
        ck_assert(before[i] == 0x5a5a5a5a && after[i] == 0x5a5a5a5a);
    ck_assert_int_eq(ready[0], -7);
    ck_assert_uint_eq(count, 7);
}

/* FD_SET writes there (eventmachine #501, getdns #222). */
START_TEST(what_an_fd_set_cannot_hold_is_refused_and_memory_left_alone)
{
    static const int numbers[] = {FD_SETSIZE, FD_SETSIZE + 1, 2 * FD_SETSIZE, 12345};
    int limit = raise_descriptor_limit();
    bool is_select = backend_at(_i) == SEL_BACKEND_SELECT;
    sel_selector *sel = open_selector(_i);
    int healthy = make_eventfd(1);

    assert_ok(sel_register(sel, healthy, READ, NULL, NULL));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && numbers[i] < limit; i++) {
        int fd = fcntl(healthy, F_DUPFD_CLOEXEC, numbers[i]);

        ck_assert_int_eq(fd, numbers[i]);
        ck_assert_int_eq(sel_register(sel, fd, READ, NULL, NULL),
                         is_select ? -ERANGE : 0);
        ck_assert_int_eq(look(sel, fd), is_select ? 0 : READ);
        ck_assert_int_eq(look(sel, healthy), READ);
        ck_assert_int_eq(sel_unregister(sel, fd), is_select ? -ENOENT : 0);
        compare_select_beyond(fd);
        close(fd);
    }
    assert_ok(sel_close(sel));
    close(healthy);
}
END_TEST

START_TEST(the_highest_descriptor_of_an_fd_set_is_served)
{
    sel_selector *sel = open_selector(_i);
    int low = make_eventfd(1);
    int fd = fcntl(low, F_DUPFD_CLOEXEC, FD_SETSIZE - 1);

    ck_assert_int_eq(fd, FD_SETSIZE - 1);
    assert_ok(sel_register(sel, fd, READ | WRITE, NULL, NULL));
    ck_assert_int_eq(look(sel, fd), READ | WRITE);
    assert_ok(sel_close(sel));
    close(fd);
    close(low);
}
END_TEST

enum { POOL = 100 };

static int pool[POOL];

static void register_pool(sel_selector *sel)
{
    for (int i = 0; i < POOL; i++) {
        pool[i] = make_eventfd(1);
        assert_ok(sel_register(sel, pool[i], i % 2 == 0 ? READ : WRITE, NULL, NULL));
    }
}

/* With its last timer gone, Redis' ae looked at one that was not there (#15391). */
START_TEST(with_everything_unregistered_or_paused_a_wait_lasts)
{
    sel_selector *sel = open_selector(_i);

    register_pool(sel);
    ck_assert_int_eq(count_ready(sel), POOL);
    for (int i = 0; i < POOL; i++)
        assert_ok(sel_modify(sel, pool[i], 0, NULL, NULL));
    assert_quiet(sel, 0.03);
    for (int i = 0; i < POOL; i++)
        assert_ok(sel_unregister(sel, pool[i]));
    assert_quiet(sel, 0.03);
    assert_ok(sel_register(sel, pool[0], READ, NULL, NULL));
    assert_ok(sel_unregister(sel, pool[0]));
    assert_quiet(sel, 0.03);
    assert_ok(sel_close(sel));
    for (int i = 0; i < POOL; i++)
        close(pool[i]);
}
END_TEST

static void never(sel_selector *sel, void *data)
{
    (void)sel;
    (void)data;
    ck_abort_msg("nothing was to run");
}

/* A number that was closed too early makes a new epoll set necessary. */
static void make_a_ghost(sel_selector *sel)
{
    int fd = make_eventfd(1);
    int duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    assert_ok(sel_register(sel, fd, READ, NULL, NULL));
    count_ready(sel);
    close(fd);
    assert_ok(sel_unregister(sel, fd));
    count_ready(sel);
    count_ready(sel);
    close(duplicate);
}

START_TEST(nothing_that_is_made_late_survives_an_exec)
{
    enum { HIGHEST = 4096, KEYS = 2100 };
    static bool before[HIGHEST];
    sel_selector *sel = open_selector(_i);
    int count = limit_count(sel, KEYS);
    static int fds[KEYS];

    for (int fd = 0; fd < HIGHEST; fd++)
        before[fd] = is_open(fd);
    for (int i = 0; i < count; i++) {
        fds[i] = make_eventfd(1);
        assert_ok(sel_register(sel, fds[i], READ, NULL, NULL));
    }
    sel_fileno(sel);
    make_a_ghost(sel);
    ck_assert_int_eq(count_ready(sel), count);
    sel_call_later(sel, 100, never, NULL, NULL);
    sel_add_signal_handler(sel, SIGUSR2, never, NULL);
    for (int fd = 0; fd < HIGHEST; fd++)
        if (!before[fd] && is_open(fd))
            ck_assert_msg(fcntl(fd, F_GETFD) & FD_CLOEXEC, "%d survives an exec", fd);
    assert_ok(sel_close(sel));
    for (int i = 0; i < count; i++)
        close(fds[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("the kernel's traps");
    TCase *tcase = new_tcase("the kernel's traps");

    add_backend_test(tcase, what_epoll_refuses_is_refused_and_nothing_else);
    for (int i = first_backend(); i < BACKENDS - 1; i = next_backend(i))
        if (has_regular_files_wait(i))
            add_test_between(tcase, a_change_of_the_mounts_is_every_event_once, i, i + 1);
    add_backend_test(tcase, a_file_that_a_child_keeps_open_ends_no_wait_of_its_parent);
    if (may_open(FD_SETSIZE + 2, "what an fd_set cannot hold"))
        add_backend_test(tcase,
                         what_an_fd_set_cannot_hold_is_refused_and_memory_left_alone);
    if (may_open(FD_SETSIZE, "the highest descriptor of an fd_set"))
        add_backend_test(tcase, the_highest_descriptor_of_an_fd_set_is_served);
    add_backend_test(tcase, with_everything_unregistered_or_paused_a_wait_lasts);
    add_backend_test(tcase, nothing_that_is_made_late_survives_an_exec);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
