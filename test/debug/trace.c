/* SPDX-License-Identifier: MIT */
/*
 * SELKIE_TRACE: a file of Chrome trace events that is whole JSON whenever the last
 * selector is closed.  What is in it is judged by trace_check.py, whose place the
 * build says.
 */
#include "support/tracing.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ };

/* The names in the trace are those of functions the dynamic linker knows. */
sel_callback traced_callback;
sel_task traced_task;
sel_done traced_done;

void traced_callback(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    assert_ok(sel_modify(sel, key->fd, 0, NULL, NULL));
}

void traced_task(sel_selector *sel, void *unused)
{
    (void)sel;
    (void)unused;
}

void traced_done(sel_selector *sel, void *unused, int status)
{
    (void)sel;
    (void)unused;
    (void)status;
}

/* One of each kind of call that needs no thread, which some children may not start. */
static void call_each(sel_selector *sel)
{
    int fd = make_eventfd(1);

    assert_ok(sel_register(sel, fd, READ, traced_callback, NULL));
    assert_ok(sel_call_soon(sel, traced_task, NULL));
    assert_ok(sel_call_later(sel, 0.002, traced_task, NULL, NULL));
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, stop, NULL));
    for (int called = 0; called < 3;)
        called += wait_and_pass(sel);
    raise(SIGUSR1);
    assert_ok(sel_run(sel));
    assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
    assert_ok(sel_unregister(sel, fd));
    close(fd);
}

START_TEST(every_kind_of_call_is_in_the_trace_and_inside_a_dispatch)
{
    sel_selector *sel = open_selector(_i);

    call_each(sel);
    assert_ok(sel_run_in_executor(sel, no_work, traced_done, NULL));
    assert_ok(sel_run(sel));
    assert_ok(sel_close(sel));
    check_trace("callback=1", "task=1", "timer=1", "signal=1", "done=1", "sel_select=2+",
                "sel_dispatch=2+", "traced_callback=1", "traced_task=2", "traced_done=1",
                "threads=1");
}
END_TEST

/* What the library calls between is no callback of the program's. */
START_TEST(readers_and_writers_are_in_the_trace_with_their_descriptor)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(1);

    assert_ok(sel_add_reader(sel, fd, traced_task, NULL));
    assert_ok(sel_add_writer(sel, fd, traced_task, NULL));
    ck_assert_int_eq(pass(sel), 1);
    assert_ok(sel_remove_reader(sel, fd));
    ck_assert_int_eq(pass(sel), 1);
    assert_ok(sel_close(sel));
    close(fd);
    check_trace("reader=1", "writer=2", "callback=0", "traced_task=3", "sel_dispatch=2");
}
END_TEST

START_TEST(selectors_one_after_another_go_on_with_one_array)
{
    for (int i = 0; i < 4; i++) {
        char rounds[32];
        sel_selector *sel = open_selector(_i);

        call_each(sel);
        assert_ok(sel_close(sel));
        snprintf(rounds, sizeof rounds, "task=%d", i + 1);
        check_trace(rounds, "threads=1");
    }
}
END_TEST

static void queue_again(sel_selector *sel, void *data)
{
    int *left = data;

    if (--*left > 0)
        assert_ok(sel_call_soon(sel, queue_again, left));
}

/* More than any buffer holds. */
START_TEST(a_long_trace_is_whole)
{
    sel_selector *sel = open_selector(_i);
    int left = 5000;
    struct stat status;

    assert_ok(sel_call_soon(sel, queue_again, &left));
    assert_ok(sel_run(sel));
    assert_ok(sel_close(sel));
    check_trace("task=5000", "sel_dispatch=5000", "sel_select=5000");
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_gt(status.st_size, 500000);
}
END_TEST

/* --- threads --- */

static void *run_alone(void *data)
{
    sel_selector *sel = open_selector(*(int *)data);
    int left = 300;

    assert_ok(sel_call_soon(sel, queue_again, &left));
    assert_ok(sel_call_later(sel, 0.001, traced_task, NULL, NULL));
    assert_ok(sel_run(sel));
    assert_ok(sel_close(sel));
    return NULL;
}

START_TEST(selectors_on_two_threads_share_the_file)
{
    enum { THREADS = 2 };
    pthread_t threads[THREADS];
    sel_selector *sel = open_selector(_i);
    int backend = _i;

    for (int i = 0; i < THREADS; i++)
        start_thread(&threads[i], run_alone, &backend);
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
    call_each(sel);
    assert_ok(sel_close(sel));
    check_trace("threads=3", "processes=1", "task=601", "timer=3");
}
END_TEST

/* --- processes --- */

START_TEST(a_forked_child_writes_nothing_into_its_parents_trace)
{
    sel_selector *sel = open_selector(_i);
    pid_t pid;

    call_each(sel);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        sel_selector *own = open_selector(_i);

        call_each(own);
        assert_ok(sel_close(own));
        assert_ok(sel_after_fork(sel));
        call_each(sel);
        assert_ok(sel_close(sel));
        _exit(0);
    }
    call_each(sel);
    assert_child_succeeds(pid);
    call_each(sel);
    assert_ok(sel_close(sel));
    check_trace("processes=1", "threads=1", "task=3");
}
END_TEST

START_TEST(a_child_that_closes_without_following_does_no_harm_either)
{
    sel_selector *sel = open_selector(_i);
    pid_t pid;

    call_each(sel);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        assert_ok(sel_close(sel));
        _exit(0);
    }
    assert_child_succeeds(pid);
    call_each(sel);
    assert_ok(sel_close(sel));
    check_trace("processes=1", "task=2");
}
END_TEST

/* --- files --- */

/* sel_open() with that path, and what it says on stderr, in a file. */
static int open_listening(int backend, const char *bad_path, sel_selector **ret_sel)
{
    int own_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    int said = memfd_create("stderr", MFD_CLOEXEC);

    ck_assert(own_stderr >= 0 && said >= 0);
    dup2(said, STDERR_FILENO);
    setenv("SELKIE_TRACE", bad_path, 1);
    *ret_sel = open_selector(backend);
    dup2(own_stderr, STDERR_FILENO);
    close(own_stderr);
    return said;
}

START_TEST(a_trace_that_cannot_be_written_is_told_and_the_program_goes_on)
{
    static const char *const bad[][2] = {
        {"/tmp", "directory"}, {"/proc/version/trace", "directory"},
        {"/nowhere/trace", "No such"}, {path, "No such"}};

    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0); /* that nobody reads */
    for (int i = 0; i < 4; i++) {
        sel_selector *sel;
        int said = open_listening(_i, bad[i][0], &sel);

        assert_one_line(said, bad[i][0], bad[i][1]);
        call_each(sel);
        assert_ok(sel_close(sel));
        close(said);
    }
}
END_TEST

static void unnamed_task(sel_selector *sel, void *unused)
{
    (void)sel;
    (void)unused;
}

static char **arguments;

/* A function without a symbol is named after the program, as that is called. */
START_TEST(a_program_of_any_name_makes_a_trace_that_is_whole)
{
    char odd[] = "/bin/a \"b\\c\\\nd", quotes[250] = "";
    char *own = arguments[0];
    sel_selector *sel = open_selector(_i);

    memset(quotes, '"', sizeof quotes - 1);
    for (int i = 0; i < 2; i++) {
        arguments[0] = i == 0 ? odd : quotes;
        assert_ok(sel_call_soon(sel, unnamed_task, NULL));
        ck_assert_int_eq(pass(sel), 1);
    }
    arguments[0] = own;
    assert_ok(sel_close(sel));
    check_trace("task=2");
}
END_TEST

START_TEST(an_empty_path_is_no_trace)
{
    sel_selector *sel;
    struct stat status;
    int said = open_listening(_i, "", &sel);

    call_each(sel);
    assert_ok(sel_close(sel));
    ck_assert_int_eq(fstat(said, &status), 0);
    ck_assert_int_eq(status.st_size, 0);
    close(said);
}
END_TEST

START_TEST(a_full_disk_costs_the_trace_and_nothing_else)
{
    sel_selector *sel;
    int left = 5000;

    setenv("SELKIE_TRACE", "/dev/full", 1);
    sel = open_selector(_i);
    call_each(sel);
    assert_ok(sel_call_soon(sel, queue_again, &left));
    assert_ok(sel_run(sel));
    ck_assert_int_eq(left, 0);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_trace_begins_with_an_empty_file)
{
    sel_selector *sel;
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < 10000; i++)
        fputs("old bytes ", file);
    fclose(file);
    sel = open_selector(_i);
    call_each(sel);
    assert_ok(sel_close(sel));
    check_trace("task=1");
}
END_TEST

/* "No descriptor stays behind" holds for the trace's too. */
START_TEST(the_file_is_open_only_while_a_selector_is)
{
    sel_selector *sel, *other;
    int before;

    unsetenv("SELKIE_TRACE");
    open_libuvs_first_loop();
    before = count_descriptors();
    setenv("SELKIE_TRACE", path, 1);
    for (int i = 0; i < 3; i++) {
        sel = open_selector(_i);
        other = open_selector(_i);
        call_each(sel);
        assert_ok(sel_close(sel));
        call_each(other);
        assert_ok(sel_close(other));
    }
    check_trace("task=6");
    ck_assert_int_eq(count_descriptors(), before);
}
END_TEST

/* Without the fixture that counts descriptors: each test would fail for one reason. */
int main(int argc, char **argv)
{
    Suite *suite = suite_create("trace");
    TCase *tcase = tcase_create("trace");

    (void)argc;
    arguments = argv;
    tcase_add_checked_fixture(tcase, name_file, remove_file);
    tcase_set_timeout(tcase, 60);
    add_backend_test(tcase, every_kind_of_call_is_in_the_trace_and_inside_a_dispatch);
    add_backend_test(tcase, readers_and_writers_are_in_the_trace_with_their_descriptor);
    add_backend_test(tcase, selectors_one_after_another_go_on_with_one_array);
    add_backend_test(tcase, a_long_trace_is_whole);
    add_backend_test(tcase, selectors_on_two_threads_share_the_file);
    add_backend_test(tcase, a_forked_child_writes_nothing_into_its_parents_trace);
    add_backend_test(tcase, a_child_that_closes_without_following_does_no_harm_either);
    add_backend_test(tcase,
                     a_trace_that_cannot_be_written_is_told_and_the_program_goes_on);
    add_backend_test(tcase, a_program_of_any_name_makes_a_trace_that_is_whole);
    add_backend_test(tcase, an_empty_path_is_no_trace);
    add_backend_test(tcase, a_full_disk_costs_the_trace_and_nothing_else);
    add_backend_test(tcase, a_trace_begins_with_an_empty_file);
    add_backend_test(tcase, the_file_is_open_only_while_a_selector_is);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
