/* SPDX-License-Identifier: MIT */
/*
 * A child that becomes a daemon: it closes every descriptor and opens files of its own,
 * which get the library's numbers. sel_close() and sel_after_fork() closed those files,
 * and libuv ended the process by SIGABRT when it found its own descriptors gone.
 */
#include "journal.h"

#include <errno.h>
#include <selkie/uv.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/* Check writes into what it takes for its pipe, 3, until that is full. */
enum { FIRST = 5, OWN = 40, HIGHEST = 1024 };

static ino_t inodes[OWN];

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
    use_nothing, use_executor, use_fileno, use_timer, use_handler, use_loop,
};

enum { USES = sizeof uses / sizeof *uses, WITHOUT_LOOP = 3 };

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
    assert_ok(sel_register(sel, fd, SEL_EVENT_READ, record_call, &(call_record){0}));
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

/* Where libuv has a loop of the selector's it can't, and says so. */
START_TEST(a_daemon_that_follows_keeps_its_files)
{
    for (int use = 0; use < USES; use++)
        in_daemon(_i, use, follow);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fork_daemon");
    TCase *tcase = new_tcase("a child that closes everything");

    add_backend_test(tcase, a_daemon_that_closes_its_selector_keeps_its_files);
    add_backend_test(tcase, a_daemon_that_follows_keeps_its_files);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
