/* SPDX-License-Identifier: MIT */
/*
 * Children that no pthread_atfork() handler notices: made by _Fork(), or by clone()
 * itself, which runtimes of other languages and sandboxes call. Such a child was taken
 * for its parent, and removed the parent's descriptors from its set.
 */
#include "support/support.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ };

static pid_t clone_process(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void in_child(void (*body)(sel_selector *sel, int fd), sel_selector *sel, int fd)
{
    pid_t pid = clone_process();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        alarm(30);
        body(sel, fd);
        _exit(0);
    }
    assert_child_succeeds(pid);
}

static void expect_echild(sel_selector *sel, int fd)
{
    assert_error(sel_unregister(sel, fd), ECHILD);
    assert_error(sel_modify(sel, fd, 0, NULL, NULL), ECHILD);
    assert_error(sel_select(sel, 0, NULL), ECHILD);
    assert_error(sel_wakeup(sel), ECHILD);
    assert_error(sel_fileno(sel), ECHILD);
    assert_error(sel_call_soon(sel, NULL, NULL), ECHILD);
}

static void follow(sel_selector *sel, int fd)
{
    assert_ok(sel_after_fork(sel));
    ck_assert_int_eq(look(sel, fd), READ);
    in_child(expect_echild, sel, fd); /* a child's child */
    assert_ok(sel_unregister(sel, fd));
    assert_ok(sel_wakeup(sel));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    assert_ok(sel_close(sel));
}

/* One of its own, for which neither an uncounted child nor a counted one is mistaken. */
static void open_another(sel_selector *sel, int fd)
{
    sel_selector *own;

    assert_ok(sel_open(SEL_BACKEND_DEFAULT, &own));
    assert_ok(sel_register(own, fd, READ, NULL, NULL));
    expect_echild(sel, fd);
    in_child(expect_echild, own, fd);
    ck_assert_int_eq(look(own, fd), READ);
    assert_ok(sel_close(own));
    follow(sel, fd);
}

static void close_only(sel_selector *sel, int fd)
{
    (void)fd;
    assert_ok(sel_close(sel));
}

START_TEST(a_child_is_known_however_it_was_made)
{
    static void (*const bodies[])(sel_selector *sel, int fd) = {
        expect_echild, follow, open_another, close_only,
    };
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(1);

    assert_ok(sel_register(sel, fd, READ, NULL, NULL));
    ck_assert_int_eq(look(sel, fd), READ);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        in_child(bodies[i], sel, fd);
        ck_assert_int_eq(look(sel, fd), READ);
        assert_ok(sel_wakeup(sel));
        ck_assert_int_eq(sel_select(sel, 0, NULL), 1);
    }
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

static bool in_clone;

static void clone_here(sel_selector *sel, void *unused)
{
    pid_t pid = clone_process();

    (void)unused;
    ck_assert_int_ge(pid, 0);
    in_clone = pid == 0;
    if (in_clone)
        assert_error(sel_close(sel), EBUSY);
    else
        assert_child_succeeds(pid);
}

static void count(sel_selector *sel, void *data)
{
    (void)sel;
    ++*(int *)data;
}

START_TEST(a_callback_may_make_one_too)
{
    sel_selector *sel = open_selector(_i);
    int counted = 0, error;

    in_clone = false;
    assert_ok(sel_call_soon(sel, clone_here, NULL));
    assert_ok(sel_call_soon(sel, count, &counted));
    error = sel_run(sel);
    ck_assert_int_eq(error, in_clone ? -ECHILD : 0);
    ck_assert_int_eq(counted, in_clone ? 0 : 1);
    assert_ok(sel_close(sel));
    if (in_clone)
        _exit(0);
}
END_TEST

/* madvise() returns `error`, which may be 0, and does nothing. */
static void refuse_advice(int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};

    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/*
 * Kernels before 4.14 can't clear a page in children, and old emulators accept any
 * advice and follow none: there at least fork() is noticed. In a process that opens its
 * first selector.
 */
START_TEST(where_no_page_is_emptied_a_fork_is_known_all_the_same)
{
    static const int answers[] = {EINVAL, 0};
    sel_selector *sel;
    pid_t pid;

    refuse_advice(answers[_i]);
    assert_ok(sel_open(SEL_BACKEND_DEFAULT, &sel));
    for (int round = 0; round < 2; round++) {
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            assert_error(sel_wakeup(sel), ECHILD);
            assert_ok(sel_after_fork(sel));
            assert_ok(sel_wakeup(sel));
            assert_ok(sel_close(sel));
            _exit(0);
        }
        assert_child_succeeds(pid);
        assert_ok(sel_wakeup(sel));
    }
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    TCase *cold = tcase_create("first selectors of a process");
    Suite *suite = suite_create("fork_unnoticed");
    TCase *tcase = new_tcase("children nobody is told of");

    add_backend_test(tcase, a_child_is_known_however_it_was_made);
    add_backend_test(tcase, a_callback_may_make_one_too);
    suite_add_tcase(suite, tcase);
    if (getenv("TEST_INSTRUMENTED") == NULL) /* valgrind knows no filter */
        tcase_add_loop_test(cold, where_no_page_is_emptied_a_fork_is_known_all_the_same, 0, 2);
    suite_add_tcase(suite, cold);
    return run_suite(suite);
}
