/* SPDX-License-Identifier: MIT */
/*
 * What SELKIE_TRACE may name and who writes there: one process, into a regular file
 * that stays valid whatever happens to it; the rest is one line on stderr.
 */
#include "support/tracing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void nothing(sel_selector *sel, void *unused)
{
    (void)sel;
    (void)unused;
}

static void run_tasks(sel_selector *sel, int count)
{
    for (int i = 0; i < count; i++) {
        assert_ok(sel_call_soon(sel, nothing, NULL));
        ck_assert_int_eq(sel_dispatch(sel), 1);
    }
}

/* --- stderr --- */

static int own_stderr, said[2];

/* From here on what is said goes into a pipe. */
static void listen_to_stderr(void)
{
    make_pipe(said);
    set_nonblocking(said[0], true);
    own_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    ck_assert_int_ge(own_stderr, 0);
    ck_assert_int_eq(dup2(said[1], STDERR_FILENO), STDERR_FILENO);
}

static void assert_nothing_said(void)
{
    char byte;

    ck_assert_int_eq(read(said[0], &byte, 1), -1);
    ck_assert_int_eq(errno, EAGAIN);
}

static void stop_listening(void)
{
    ck_assert_int_eq(dup2(own_stderr, STDERR_FILENO), STDERR_FILENO);
    close(own_stderr);
    close_pair(said);
}

/* --- processes --- */

static char **arguments;

static const rlim_t no_limit = 1 << 30;

/* This program once more, with a limit for its files. */
static void start_another(int backend, rlim_t limit, int tasks)
{
    char words[3][24], self[PATH_MAX] = "";
    pid_t pid;

    snprintf(words[0], sizeof words[0], "%d", backend);
    snprintf(words[1], sizeof words[1], "%llu", (unsigned long long)limit);
    snprintf(words[2], sizeof words[2], "%d", tasks);
    /* Under valgrind the link itself is valgrind. */
    ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof self - 1), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        execl(self, "another", words[0], words[1], words[2], NULL);
        _exit(127);
    }
    assert_child_succeeds(pid);
}

/* Two selectors, one after the other; check, which writes files too, is not used. */
static int be_another(char **words)
{
    struct rlimit limit;
    int tasks = atoi(words[2]);

    if (getrlimit(RLIMIT_FSIZE, &limit) < 0)
        return 4;
    limit.rlim_cur = strtoull(words[1], NULL, 10); /* the hard one may be low already */
    if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
        return 4;
    for (int i = 0; i < 2; i++) {
        sel_selector *sel;

        if (sel_open(backend_at(atoi(words[0])), &sel) < 0)
            return 1;
        for (int n = 0; n < tasks; n++)
            if (sel_call_soon(sel, nothing, NULL) < 0 || sel_dispatch(sel) != 1)
                return 2;
        if (sel_close(sel) < 0)
            return 3;
    }
    return 0;
}

/* It truncated the file and wrote into it, and so did its parent. */
START_TEST(a_program_that_a_traced_one_starts_has_no_trace_and_says_so)
{
    sel_selector *sel = open_selector(_i);

    run_tasks(sel, 3);
    listen_to_stderr();
    start_another(_i, no_limit, 1);
    assert_one_line(said[0], path, "another process");
    stop_listening();
    run_tasks(sel, 2);
    assert_ok(sel_close(sel));
    sel = open_selector(_i); /* the file is ours again, and goes on */
    run_tasks(sel, 2);
    assert_ok(sel_close(sel));
    check_trace("processes=1", "task=7");
}
END_TEST

START_TEST(a_trace_that_another_has_written_to_since_is_left_to_it)
{
    sel_selector *sel = open_selector(_i);

    run_tasks(sel, 3);
    assert_ok(sel_close(sel));
    start_another(_i, no_limit, 1);
    for (int i = 0; i < 2; i++) {
        listen_to_stderr();
        sel = open_selector(_i);
        if (i == 0)
            assert_one_line(said[0], path, "since");
        run_tasks(sel, 2);
        assert_ok(sel_close(sel));
        assert_nothing_said();
        stop_listening();
    }
    check_trace("processes=1", "task=2");
}
END_TEST

/* What may have become of the file; the name that it has then. */
typedef const char *change(void);

static const char *append(void)
{
    FILE *file = fopen(path, "ae");

    ck_assert(file != NULL && fputs(" ", file) >= 0 && fclose(file) == 0);
    return path;
}

static const char *touch(void)
{
    ck_assert_int_eq(utimensat(AT_FDCWD, path, (struct timespec[2]){{1, 0}, {1, 0}}, 0), 0);
    return path;
}

/* By its copy, of the same length and time. */
static const char *replace(void)
{
    static char bytes[1 << 16];
    int from = open(path, O_RDONLY | O_CLOEXEC), to;
    ssize_t length = read(from, bytes, sizeof bytes);
    struct stat file;

    ck_assert_int_eq(fstat(from, &file), 0);
    ck_assert_int_eq(unlink(path), 0);
    to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(write(to, bytes, (size_t)length), length);
    ck_assert_int_eq(futimens(to, (struct timespec[2]){file.st_atim, file.st_mtim}), 0);
    close(from); /* only now, so that the copy is another file */
    close(to);
    return path;
}

static const char *name_another_device(void)
{
    static char name[40];
    int fd = memfd_create("trace", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    setenv("SELKIE_TRACE", name, 1);
    return name;
}

static void trace_and_change(int backend, change *change_it)
{
    sel_selector *sel = open_selector(backend);
    struct stat before, after;
    const char *name;

    run_tasks(sel, 1);
    assert_ok(sel_close(sel));
    name = change_it();
    ck_assert_int_eq(stat(name, &before), 0);
    listen_to_stderr();
    sel = open_selector(backend);
    assert_one_line(said[0], name, "since");
    run_tasks(sel, 1);
    assert_ok(sel_close(sel));
    ck_assert_int_eq(stat(name, &after), 0);
    ck_assert_int_eq(after.st_size, before.st_size);
    ck_assert_int_eq(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
}

START_TEST(a_trace_goes_on_in_the_file_that_it_has_left_and_in_no_other)
{
    static change *const changes[] = {append, touch, replace, name_another_device};

    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        pid_t pid = fork(); /* a process's trace ends for good */

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            trace_and_change(_i, changes[i]);
            _exit(0);
        }
        assert_child_succeeds(pid);
    }
}
END_TEST

/* --- children --- */

/* No pthread_atfork() handler is told of it: it has its parent's descriptor, and lock. */
START_TEST(a_child_that_nobody_is_told_of_has_no_trace_either)
{
    sel_selector *sel = open_selector(_i), *own;
    pid_t pid;

    run_tasks(sel, 3);
    pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        own = open_selector(_i);
        run_tasks(own, 3000); /* more than a buffer */
        assert_ok(sel_close(own));
        assert_ok(sel_close(sel));
        _exit(0);
    }
    assert_child_succeeds(pid);
    run_tasks(sel, 1);
    assert_ok(sel_close(sel));
    check_trace("processes=1", "task=4");
}
END_TEST

/* The trace goes into a file without a name, to which nothing is added any more. */
static sel_selector *open_and_seal(int backend, int *ret_fd)
{
    sel_selector *sel;

    *ret_fd = memfd_create("trace", MFD_ALLOW_SEALING);
    ck_assert_int_ge(*ret_fd, 0);
    unlink(path);
    snprintf(path, sizeof path, "/proc/self/fd/%d", *ret_fd);
    setenv("SELKIE_TRACE", path, 1);
    sel = open_selector(backend);
    ck_assert_int_eq(
        fcntl(*ret_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
    return sel;
}

/* Files that get the numbers of the trace and of all else that was closed. */
static void assert_child_keeps_its_files(void)
{
    int fds[20];
    pid_t pid;

    for (int i = 0; i < 20; i++)
        fds[i] = make_eventfd(0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        for (int i = 0; i < 20; i++)
            ck_assert(is_open(fds[i]));
        _exit(0);
    }
    assert_child_succeeds(pid);
    for (int i = 0; i < 20; i++)
        close(fds[i]);
}

START_TEST(a_child_closes_no_file_for_a_trace_that_is_closed)
{
    assert_ok(sel_close(open_selector(_i)));
    assert_child_keeps_its_files();
}
END_TEST

START_TEST(a_child_closes_no_file_for_a_trace_that_ended_early)
{
    int trace;
    sel_selector *sel = open_and_seal(_i, &trace);

    listen_to_stderr();
    run_tasks(sel, 3000); /* more than a buffer */
    assert_one_line(said[0], "ends early", "not permitted");
    stop_listening();
    assert_child_keeps_its_files();
    assert_ok(sel_close(sel));
    close(trace);
}
END_TEST

/* --- what is no file --- */

static void assert_refused(int backend, const char *name)
{
    setenv("SELKIE_TRACE", name, 1);
    listen_to_stderr();
    for (int i = 0; i < 3; i++) {
        sel_selector *sel = open_selector(backend);

        if (i == 0)
            assert_one_line(said[0], name, "not a regular file");
        run_tasks(sel, 2000);
        assert_ok(sel_close(sel));
    }
    assert_nothing_said();
    stop_listening();
}

START_TEST(what_is_not_a_regular_file_is_refused_with_one_line)
{
    char name[64];
    int ends[2], reader;

    make_pipe(ends);
    snprintf(name, sizeof name, "/proc/self/fd/%d", ends[1]);
    assert_refused(_i, name);
    assert_refused(_i, "/dev/full");
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_refused(_i, path);
    close(reader);
    close_pair(ends);
}
END_TEST

/* --- no room --- */

static void check_json(void)
{
    check_trace_with((char *const[]){"python3", "-m", "json.tool", path, "/dev/null", NULL});
}

/* SIGXFSZ ended the process, and of a full disk nothing was said. */
START_TEST(a_trace_without_room_ends_valid_and_with_one_line)
{
    static const rlim_t limits[] = {100000, 65536 + 500};

    for (int i = 0; i < 2; i++) {
        listen_to_stderr();
        start_another(_i, limits[i], 3000);
        assert_one_line(said[0], "ends early", "File too large");
        assert_nothing_said();
        stop_listening();
        check_json(); /* a task's dispatch may be what there was no room for */
    }
}
END_TEST

START_TEST(a_trace_that_has_no_room_for_its_end_is_valid_too)
{
    struct stat file;

    assert_ok(sel_close(open_selector(_i)));
    ck_assert_int_eq(stat(path, &file), 0);
    listen_to_stderr();
    start_another(_i, (rlim_t)file.st_size + 8, 1); /* its number may be longer */
    assert_one_line(said[0], "ends early", "File too large");
    stop_listening();
    check_trace("processes=0");
}
END_TEST

/* Not even what is in the way of the end can be cut off. */
START_TEST(a_trace_that_can_be_changed_no_more_ends_with_one_line)
{
    int trace;
    sel_selector *sel = open_and_seal(_i, &trace);

    listen_to_stderr();
    run_tasks(sel, 1);
    assert_ok(sel_close(sel));
    assert_one_line(said[0], "ends early", "not permitted");
    sel = open_selector(_i);
    run_tasks(sel, 1);
    assert_ok(sel_close(sel));
    assert_nothing_said();
    stop_listening();
    check_trace("processes=0");
    close(trace);
}
END_TEST

/* Where stderr is a file even the line has no room. */
START_TEST(no_room_at_all_is_no_trace_and_no_harm)
{
    int log = open_regular_file(), kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

    listen_to_stderr();
    start_another(_i, 0, 10);
    assert_one_line(said[0], path, "File too large");
    stop_listening();
    ck_assert_int_ge(kept, 0);
    ck_assert_int_eq(dup2(log, STDERR_FILENO), STDERR_FILENO);
    start_another(_i, 0, 10);
    ck_assert_int_eq(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    close(kept);
    close(log);
}
END_TEST

/* --- names --- */

/* RFC 3629's limits: too long, beyond Unicode, half of a pair, cut short, alone; inside. */
START_TEST(a_program_whose_name_is_not_utf_8_makes_a_valid_trace)
{
    static const char *const names[] = {
        "/\xff\xfe", "/\xc0\x80", "/\xe0\x9f\x80", "/\xed\xa0\x80", "/\xf0\x8f\x80\x80",
        "/\xf4\x90\x80\x80", "/\xf5", "/\xe2\x82", "/\x80", "/caf\xc3\xa9",
        "/\xe2\x82\xac", "/\xf0\x9f\xa6\xad", "/\xee\x80\x80 \xf3\xbf\xbf\xbf",
        "/\xe0\xa0\x80\xed\x9f\xbf\xf4\x8f\xbf\xbf"};
    enum { NAMES = sizeof names / sizeof names[0] };
    char *own = arguments[0], many[300], name[16];
    sel_selector *sel = open_selector(_i);

    for (int i = 0; i < NAMES; i++) {
        strcpy(name, names[i]);
        arguments[0] = name;
        run_tasks(sel, 1);
    }
    for (size_t i = 0; i < sizeof many; i++)
        many[i] = "\xe2\x82\xac"[i % 3];
    many[0] = '/';
    many[sizeof many - 1] = '\0';
    arguments[0] = many;
    run_tasks(sel, 1);
    arguments[0] = own;
    assert_ok(sel_close(sel));
    check_trace("task=15");
}
END_TEST

/* --- threads --- */

static void *open_and_close(void *data)
{
    for (int i = 0; i < 20; i++) {
        sel_selector *sel = open_selector(*(int *)data);

        run_tasks(sel, 3);
        assert_ok(sel_close(sel));
    }
    return NULL;
}

/* Whether there was a trace was asked without the lock: it takes TSan to see. */
START_TEST(selectors_open_and_close_on_threads_at_once)
{
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    int backend = _i;

    for (int i = 0; i < THREADS; i++)
        start_thread(&threads[i], open_and_close, &backend);
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
    check_trace("task=180", "processes=1");
}
END_TEST

static void *trace_while_cancelled(void *data)
{
    sel_selector *sel = data;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_cancel(pthread_self());
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    for (int i = 0; i < 1000; i++) /* check's assertions are places to be cancelled in */
        if (sel_call_soon(sel, nothing, NULL) < 0 || sel_dispatch(sel) != 1)
            return NULL;
    pthread_testcancel();
    return NULL;
}

/* It was inside pwrite(), with the trace's lock, which nobody got any more. */
START_TEST(a_thread_is_not_cancelled_while_it_writes_the_trace)
{
    sel_selector *sel = open_selector(_i), *other = open_selector(_i);
    pthread_t thread;
    void *result;

    start_thread(&thread, trace_while_cancelled, sel);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert_ptr_eq(result, PTHREAD_CANCELED);
    run_tasks(other, 1);
    assert_ok(sel_close(other));
    assert_ok(sel_close(sel));
    check_trace("task=1001");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("trace_files");
    TCase *tcase = tcase_create("trace_files");

    tcase_add_checked_fixture(tcase, name_file, remove_file);
    tcase_set_timeout(tcase, 60);
    add_backend_test(tcase, a_program_that_a_traced_one_starts_has_no_trace_and_says_so);
    add_backend_test(tcase, a_trace_that_another_has_written_to_since_is_left_to_it);
    add_backend_test(tcase, a_trace_goes_on_in_the_file_that_it_has_left_and_in_no_other);
    add_backend_test(tcase, a_child_that_nobody_is_told_of_has_no_trace_either);
    add_backend_test(tcase, a_child_closes_no_file_for_a_trace_that_is_closed);
    add_backend_test(tcase, a_child_closes_no_file_for_a_trace_that_ended_early);
    add_backend_test(tcase, what_is_not_a_regular_file_is_refused_with_one_line);
    add_backend_test(tcase, a_trace_without_room_ends_valid_and_with_one_line);
    add_backend_test(tcase, a_trace_that_has_no_room_for_its_end_is_valid_too);
    add_backend_test(tcase, a_trace_that_can_be_changed_no_more_ends_with_one_line);
    add_backend_test(tcase, no_room_at_all_is_no_trace_and_no_harm);
    add_backend_test(tcase, a_program_whose_name_is_not_utf_8_makes_a_valid_trace);
    add_backend_test(tcase, selectors_open_and_close_on_threads_at_once);
    add_backend_test(tcase, a_thread_is_not_cancelled_while_it_writes_the_trace);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(int argc, char **argv)
{
    if (argc == 4)
        return be_another(argv + 1);
    arguments = argv;
    return run_suite(make_suite());
}
