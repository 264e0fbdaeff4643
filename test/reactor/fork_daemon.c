/* SPDX-License-Identifier: MIT */
/*
 * A child that becomes a daemon: it closes every descriptor and opens files of its own,
 * which get the library's numbers. sel_close() and sel_after_fork() used to close those
 * files, and libuv ended the process by SIGABRT when it found its own descriptors gone.
 */
#include "support/journal.h"

#include <errno.h>
#include <selkie/uv.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* check writes to what it takes for its pipe, 3, until that is full. */
enum { FIRST = 5, OWN = 40, HIGHEST = 1024 };

static ino_t inodes[OWN];
static call_record calls;

static void become_daemon(void)
{
    int ends[2] = {0, 0};

    for (int fd = 3; fd < HIGHEST; fd++)
        close(fd);
    while (ends[1] < OWN - 1)
        make_socketpair(ends);
    for (int fd = 3; fd < OWN; fd++) {
        struct stat status;

        ck_assert_int_eq(fstat(fd, &status), 0);
        inodes[fd] = status.st_ino;
    }
}

static void assert_own_files_are_there(void)
{
    for (int fd = 3; fd < OWN; fd++) {
        struct stat status;

        ck_assert_int_eq(fstat(fd, &status), 0);
        ck_assert_uint_eq(status.st_ino, inodes[fd]);
    }
}

static void use_nothing(sel_selector *sel)
{
    ck_assert_int_eq(sel_select(sel, 0, NULL), 0);
}

static void use_timer(sel_selector *sel)
{
    assert_ok(sel_call_later(sel, 3600, never, NULL, NULL));
    use_nothing(sel);
}

static void use_handler(sel_selector *sel)
{
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, never, NULL));
    use_nothing(sel);
}

static void use_loop(sel_selector *sel)
{
    ck_assert_ptr_nonnull(sel_loop(sel));
}

static void use_executor(sel_selector *sel)
{
    assert_ok(sel_run_in_executor(sel, no_work, note_done, "d"));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    assert_noted("d");
}

static void use_fileno(sel_selector *sel)
{
    sel_fileno(sel);
}

static void (*const uses[])(sel_selector *sel) = {
    use_nothing, use_timer, use_executor, use_fileno, use_handler, use_loop,
};

enum { USES = sizeof uses / sizeof *uses, WITHOUT_LOOP = 4 };

static void assert_parent_is_whole(sel_selector *sel, int fd)
{
    ck_assert_int_eq(look(sel, fd), SEL_EVENT_READ);
    assert_ok(sel_unregister(sel, fd));
    assert_ok(sel_wakeup(sel));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    assert_ok(sel_close(sel));
    close(fd);
}

static void in_daemon(int i, int use, void (*body)(sel_selector *sel, bool can_follow))
{
    sel_selector *sel = open_selector(i);
    int fd = make_eventfd(1);
    pid_t pid;

    uses[use](sel);
    assert_ok(sel_register(sel, fd, SEL_EVENT_READ, record_call, &calls));
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        alarm(30);
        become_daemon();
        body(sel, i != 0 && use < WITHOUT_LOOP);
        assert_own_files_are_there();
        _exit(0);
    }
    assert_child_succeeds(pid);
    assert_parent_is_whole(sel, fd);
}

static void close_only(sel_selector *sel, bool can_follow)
{
    (void)can_follow;
    assert_ok(sel_close(sel));
}

START_TEST(a_daemon_that_closes_its_selector_keeps_its_files)
{
    for (int use = 0; use < USES; use++)
        in_daemon(_i, use, close_only);
}
END_TEST

static void follow(sel_selector *sel, bool can_follow)
{
    if (!can_follow) {
        for (int i = 0; i < 2; i++)
            assert_error(sel_after_fork(sel), EBADF);
        assert_error(sel_wakeup(sel), ECHILD);
        assert_ok(sel_close(sel));
        return;
    }
    assert_ok(sel_after_fork(sel));
    ck_assert_int_eq(count_ready(sel), 0); /* that key's descriptor is closed */
    for (int fd = FIRST; fd < OWN; fd++)
        assert_ok(sel_register(sel, fd, SEL_EVENT_WRITE, NULL, NULL));
    ck_assert_int_eq(count_ready(sel), OWN - FIRST);
    assert_ok(sel_wakeup(sel));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), OWN - FIRST);
    assert_ok(sel_close(sel));
}

/* If libuv has one of the selector's loops it can't follow, and says so. */
START_TEST(a_daemon_that_follows_keeps_its_files)
{
    for (int use = 0; use < USES; use++)
        in_daemon(_i, use, follow);
}
END_TEST

enum { LOW = 16 };

/* Only that many of the low numbers are free: half-way through, libuv lacks some. */
static int follow_with(sel_selector *sel, const int low[LOW], int room)
{
    struct rlimit before, less;
    int error;

    assert_ok(getrlimit(RLIMIT_NOFILE, &before));
    less = (struct rlimit){.rlim_cur = (rlim_t)low[LOW - 1] + 1, .rlim_max = before.rlim_max};
    for (int i = 0; i < room; i++)
        close(low[i]);
    assert_ok(setrlimit(RLIMIT_NOFILE, &less));
    error = sel_after_fork(sel);
    assert_ok(setrlimit(RLIMIT_NOFILE, &before));
    return error;
}

static void fail_to_follow(sel_selector *sel, const int low[LOW], int room)
{
    int error;

    alarm(30);
    error = follow_with(sel, low, room);
    if (error == 0) {
        assert_ok(sel_close(sel));
        return;
    }
    ck_assert(error == -EMFILE || error == -ENOMEM);
    become_daemon();
    error = sel_after_fork(sel);
    ck_assert(error == -EBADF || error == -ENOMEM);
    assert_error(sel_wakeup(sel), ECHILD);
    assert_ok(sel_close(sel));
    assert_own_files_are_there();
}

START_TEST(a_daemon_that_could_not_follow_before_keeps_its_files)
{
    int low[LOW];

    for (int i = 0; i < LOW; i++)
        low[i] = make_eventfd(0);
    for (int room = 0; room <= LOW; room++) {
        sel_selector *sel = open_selector(_i);
        int fd = make_eventfd(1);
        pid_t pid;

        use_loop(sel);
        assert_ok(sel_register(sel, fd, SEL_EVENT_READ, record_call, &calls));
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            fail_to_follow(sel, low, room);
            _exit(0);
        }
        assert_child_succeeds(pid);
        assert_parent_is_whole(sel, fd);
    }
    for (int i = 0; i < LOW; i++)
        close(low[i]);
}
END_TEST

/* --- what else the child has of its parent's --- */

static volatile sig_atomic_t caught;

static void count_signal(int signum)
{
    (void)signum;
    caught++;
}

/* The last of two handlers restores the disposition, though libuv can't be asked. */
static void assert_disposition_is_back(sel_selector *both[2])
{
    alarm(30);
    become_daemon();
    for (int i = 0; i < 2; i++) {
        assert_ok(sel_close(both[i]));
        raise(SIGUSR1);
        ck_assert_int_eq(caught, i + 1);
    }
    assert_own_files_are_there();
}

START_TEST(a_daemon_that_nobody_is_told_of_has_its_signals_as_before)
{
    struct sigaction action = {.sa_handler = count_signal};
    sel_selector *both[2];
    pid_t pid;

    assert_ok(sigaction(SIGUSR1, &action, NULL));
    for (int i = 0; i < 2; i++) {
        both[i] = open_selector(_i);
        assert_ok(sel_add_signal_handler(both[i], SIGUSR1, note, "p"));
    }
    pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        assert_disposition_is_back(both);
        _exit(0);
    }
    assert_child_succeeds(pid);
    raise(SIGUSR1);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(wait_and_pass(both[i]), 1);
        assert_ok(sel_close(both[i]));
    }
    assert_noted("pp");
    ck_assert_int_eq(caught, 0);
}
END_TEST

/* The program's loop, which the child has closed too, is not run there. */
START_TEST(a_daemon_whose_selector_is_attached_can_only_close_it)
{
    sel_selector *sel = open_selector(_i);
    uv_loop_t loop;
    pid_t pid;

    assert_ok(uv_loop_init(&loop));
    assert_ok(sel_attach_loop(sel, &loop));
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        alarm(30);
        become_daemon();
        follow(sel, false);
        assert_own_files_are_there();
        _exit(0);
    }
    assert_child_succeeds(pid);
    assert_ok(sel_call_soon(sel, note, "a"));
    assert_ok(uv_run(&loop, UV_RUN_DEFAULT));
    assert_noted("a");
    assert_ok(sel_close(sel));
    assert_ok(uv_run(&loop, UV_RUN_DEFAULT));
    assert_ok(uv_loop_close(&loop));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fork_daemon");
    TCase *tcase = new_tcase("a child that closes everything");

    add_backend_test(tcase, a_daemon_that_closes_its_selector_keeps_its_files);
    add_backend_test(tcase, a_daemon_that_follows_keeps_its_files);
    add_backend_test(tcase, a_daemon_that_could_not_follow_before_keeps_its_files);
    add_backend_test(tcase, a_daemon_that_nobody_is_told_of_has_its_signals_as_before);
    add_fileno_test(tcase, a_daemon_whose_selector_is_attached_can_only_close_it);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
