/* SPDX-License-Identifier: MIT */
/*
 * A child that ends as programs do: by returning from main() or calling exit(). If its
 * parent had used the executor, it died of SIGSEGV there, or never ended, because
 * libuv's destructor joins the threads of its pool, and a child has none.
 */
#include "support/journal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS = 7 };

static void use_executor(sel_selector *sel)
{
    assert_ok(sel_run_in_executor(sel, no_work, note_done, "d"));
    assert_ok(sel_run(sel));
    assert_noted("d");
}

typedef void child_body(sel_selector *sel);

static void just_exit(sel_selector *sel)
{
    (void)sel;
}

static void close_and_exit(sel_selector *sel)
{
    assert_ok(sel_close(sel));
}

static void follow_and_exit(sel_selector *sel)
{
    assert_ok(sel_after_fork(sel));
}

static void use_and_exit(sel_selector *sel)
{
    assert_ok(sel_after_fork(sel));
    use_executor(sel);
    assert_ok(sel_close(sel));
}

static void close_everything_and_exit(sel_selector *sel)
{
    (void)sel;
    for (int fd = 0; fd < 100; fd++)
        close(fd);
}

/* In a child that check does not know of: its own exit() is what is tested. */
static void expect_exit(child_body *body, sel_selector *sel)
{
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        alarm(30);
        body(sel);
        exit(STATUS);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == STATUS, "ended with %#x",
                  (unsigned int)status);
}

static void fork_and_exit(sel_selector *sel)
{
    expect_exit(just_exit, sel);
    expect_exit(use_and_exit, sel);
}

static void use_fork_and_exit(sel_selector *sel)
{
    assert_ok(sel_after_fork(sel));
    use_executor(sel);
    fork_and_exit(sel);
}

START_TEST(a_child_exits_with_its_own_status)
{
    static child_body *const bodies[] = {
        just_exit, close_and_exit, follow_and_exit, use_and_exit, close_everything_and_exit,
        fork_and_exit, use_fork_and_exit,
    };
    sel_selector *sel = open_selector(_i);

    expect_exit(just_exit, sel);
    use_executor(sel);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        expect_exit(bodies[i], sel);
    use_executor(sel);
    assert_ok(sel_close(sel));
}
END_TEST

static void wait_for_byte(void *data)
{
    take_byte(*(int *)data);
}

START_TEST(a_child_exits_while_its_parents_threads_work)
{
    sel_selector *sel = open_selector(_i);
    int gate[2];

    make_pipe(gate);
    for (int i = 0; i < 10; i++)
        assert_ok(sel_run_in_executor(sel, wait_for_byte, NULL, &gate[0]));
    expect_exit(just_exit, sel);
    expect_exit(close_and_exit, sel);
    expect_exit(use_and_exit, sel);
    for (int i = 0; i < 10; i++)
        put_byte(gate[1]);
    assert_ok(sel_close(sel));
    close_pair(gate);
}
END_TEST

/*
 * Not made by fork(): libuv relies on its pthread_atfork() handler, and would wait for
 * ever.
 */
START_TEST(a_child_that_libuv_takes_for_its_parent_has_no_executor)
{
    sel_selector *sel = open_selector(_i);

    for (int used = 0; used < 2; used++) {
        pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            alarm(30);
            assert_ok(sel_after_fork(sel));
            if (used)
                assert_error(sel_run_in_executor(sel, no_work, NULL, NULL), ENOTSUP);
            else
                use_executor(sel);
            assert_ok(sel_close(sel));
            _exit(0);
        }
        assert_child_succeeds(pid);
        use_executor(sel);
    }
    assert_ok(sel_close(sel));
}
END_TEST

static void fork_and_end(void *data)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(STATUS);
    *(pid_t *)data = pid;
}

START_TEST(a_child_that_work_forks_ends_inside_it)
{
    sel_selector *sel = open_selector(_i);
    pid_t pid = -1;
    int status;

    assert_ok(sel_run_in_executor(sel, fork_and_end, NULL, &pid));
    assert_ok(sel_run(sel));
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WEXITSTATUS(status), STATUS);
    assert_ok(sel_close(sel));
}
END_TEST

static pid_t parent;

/* Before libuv's destructor, which can't be helped. */
static void end_child(void)
{
    if (getpid() != parent)
        _exit(STATUS);
}

/*
 * If libuv can't be given a loop, its end can't be prevented; but the program's
 * functions run before it.
 */
START_TEST(without_descriptors_what_the_program_does_at_exit_is_done)
{
    sel_selector *sel = open_selector(_i);
    struct rlimit limit;
    int status;
    pid_t pid;

    parent = getpid();
    ck_assert_int_eq(atexit(end_child), 0); /* before the library's, so it runs after that */
    use_executor(sel);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = 0;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        alarm(30);
        exit(EXIT_FAILURE);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), STATUS);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fork_exit");
    TCase *tcase = new_tcase("exit in a child");

    add_backend_test(tcase, a_child_exits_with_its_own_status);
    add_backend_test(tcase, a_child_exits_while_its_parents_threads_work);
    add_backend_test(tcase, a_child_that_libuv_takes_for_its_parent_has_no_executor);
    add_backend_test(tcase, a_child_that_work_forks_ends_inside_it);
    add_backend_test(tcase, without_descriptors_what_the_program_does_at_exit_is_done);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
