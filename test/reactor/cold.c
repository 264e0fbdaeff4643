/* SPDX-License-Identifier: MIT */
/*
 * What libuv does once in a process, and ends the process if it can't: it opens the
 * pipe by which it guards signals, with the first loop, and starts the threads of the
 * first job. So each case here is a process of its own in which nothing was done
 * before: the tests of this file open selectors only in children.
 */
#include "support/journal.h"
#include "support/scarcity.h"

#include <errno.h>
#include <sched.h>
#include <selkie/uv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_ROOM = 12, DONE = 0, REFUSED = 1, NUMBERS = 64, OUTSIDER = 61000 };

/* --- without descriptors --- */

/* For a later signal the loop is there already. */
enum { OPEN, TIMER, SIGNAL, LATER_SIGNAL, JOB, LOOP, ATTACH, KINDS };

/* What the process starts with. */
enum { AS_IT_IS, HARD_LIMIT, WITHOUT_STANDARD, WORLDS };

static uv_loop_t program_loop;

static int use(sel_selector **sel, int backend, int kind)
{
    switch (kind) {
    case OPEN: return sel_open(backend_at(backend), sel);
    case TIMER: return sel_call_later(*sel, 0, note, "x", NULL);
    case SIGNAL:
    case LATER_SIGNAL: return sel_add_signal_handler(*sel, SIGUSR1, note, "x");
    case JOB: return sel_run_in_executor(*sel, no_work, note_done, "x");
    case LOOP: return sel_loop(*sel) != NULL ? 0 : -EMFILE;
    default: return sel_attach_loop(*sel, &program_loop);
    }
}

/* The numbers in use, counted without opening one. */
static int count_numbers(void)
{
    int count = 0;

    for (int fd = 0; fd < NUMBERS; fd++)
        count += is_open(fd);
    return count;
}

static void leave_room_for_good(int room)
{
    struct rlimit limit;

    leave_room(room);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_max = limit.rlim_cur;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void close_standard(void)
{
    for (int fd = 0; fd < 3; fd++)
        close(fd);
}

/* What was refused has left nothing behind; what was done works. */
static int use_with_room(int backend, int kind, int world, int room)
{
    sel_selector *sel = kind == OPEN ? NULL : open_selector(backend);
    int before, error;

    if (kind == ATTACH)
        assert_ok(uv_loop_init(&program_loop));
    if (kind == LATER_SIGNAL)
        ck_assert_ptr_nonnull(sel_loop(sel));
    if (world == WITHOUT_STANDARD)
        close_standard();
    before = count_numbers();
    if (world == HARD_LIMIT)
        leave_room_for_good(room);
    else
        leave_room(room);
    error = use(&sel, backend, kind);
    ck_assert(error == 0 || error == -EMFILE);
    if (error < 0)
        ck_assert_int_eq(count_numbers(), before);
    if (error == 0 && (kind == SIGNAL || kind == LATER_SIGNAL))
        raise(SIGUSR1);
    if (error == 0 && kind != OPEN && kind != LOOP && kind != ATTACH) {
        wait_and_pass(sel);
        assert_noted("x");
    }
    assert_ok(sel_close(sel));
    return error == 0 ? DONE : REFUSED;
}

static int end_of(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status), "a process was ended: status %#x", (unsigned int)status);
    return WEXITSTATUS(status);
}

static int in_a_process(int backend, int kind, int world, int room)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(use_with_room(backend, kind, world, room));
    return end_of(pid);
}

/* Refused with up to some room, and done with any more. */
START_TEST(the_first_of_a_kind_in_a_process_is_done_or_refused)
{
    for (int kind = OPEN; kind < (_i < FIRST_WITHOUT_FILENO ? KINDS : ATTACH); kind++)
        for (int world = AS_IT_IS; world < WORLDS; world++) {
            int last = REFUSED;

            for (int room = 0; room <= MOST_ROOM; room++) {
                int result = in_a_process(_i, kind, world, room);

                ck_assert_msg(result == DONE || result == REFUSED,
                              "kind %d, world %d, room %d: %d", kind, world, room, result);
                ck_assert_msg(result <= last, "kind %d, world %d, refused with %d", kind,
                              world, room);
                last = result;
            }
            ck_assert_int_eq(last, DONE);
        }
}
END_TEST

/* A child that could not follow once must be able to end all the same. */
static void follow_with_room(sel_selector *sel, int world, int room)
{
    int error;

    if (world == WITHOUT_STANDARD)
        close_standard();
    leave_room(room);
    error = sel_after_fork(sel);
    ck_assert(error == 0 || error == -EMFILE || error == -ENOMEM);
    if (error < 0)
        assert_error(sel_select(sel, 0, NULL), ECHILD);
    else
        pass(sel);
    assert_ok(sel_close(sel));
}

START_TEST(a_child_with_few_descriptors_follows_or_is_refused)
{
    for (int world = AS_IT_IS; world < WORLDS; world++)
        for (int room = 0; room <= MOST_ROOM; room++) {
            pid_t pid = fork();

            ck_assert_int_ge(pid, 0);
            if (pid == 0) {
                sel_selector *sel = open_selector(_i);

                assert_ok(sel_call_later(sel, 0, note, "x", NULL));
                assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, "x"));
                pid = fork();
                ck_assert_int_ge(pid, 0);
                if (pid == 0) {
                    follow_with_room(sel, world, room);
                    _exit(0);
                }
                assert_child_succeeds(pid);
                assert_ok(sel_close(sel));
                _exit(0);
            }
            assert_child_succeeds(pid);
        }
}
END_TEST

/* --- without standard descriptors --- */

static void use_everything(int backend)
{
    sel_selector *sel = NULL;

    ck_assert_int_eq(sel_open(backend_at(backend), &sel), 0);
    assert_ok(sel_call_later(sel, 0, note, "", NULL));
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, ""));
    assert_ok(sel_run_in_executor(sel, no_work, note_done, ""));
    raise(SIGUSR1);
    for (int ran = 0; ran < 3;)
        ran += wait_and_pass(sel);
    assert_ok(sel_close(sel));
}

/*
 * chroot() into an empty folder, as root or with a namespace's rights; false if there
 * are none.
 */
static bool shut_in(void)
{
    char folder[] = "/tmp/selkie.XXXXXX";
    bool is_in;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    is_in = chroot(folder) == 0 || (unshare(CLONE_NEWUSER) == 0 && chroot(folder) == 0);
    if (!is_in)
        rmdir(folder);
    return is_in && chdir("/") == 0;
}

/*
 * libuv aborts when it closes a descriptor of its own that is 0, 1 or 2. The numbers
 * used to be held against that with /dev/null, which a chroot may not have.
 */
START_TEST(standard_descriptors_are_held_where_there_is_no_dev_null)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (!shut_in()) {
            puts("left out: no chroot() for this user");
            fflush(stdout);
            _exit(0);
        }
        close_standard();
        use_everything(_i);
        for (int fd = 0; fd < 3; fd++)
            ck_assert(!is_open(fd));
        _exit(0);
    }
    assert_child_succeeds(pid);
}
END_TEST

/*
 * In a child libuv makes the guard's pipe again, with whatever numbers are free then,
 * and closes it in exit() and in the child's own children.
 */
START_TEST(children_of_a_process_that_closed_its_standard_descriptors_live)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        sel_selector *sel = open_selector(_i);

        ck_assert_ptr_nonnull(sel_loop(sel));
        close_standard();
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            pid = fork(); /* which closes the pipe that this process was given */
            if (pid > 0)
                assert_child_succeeds(pid);
            for (int fd = 0; fd < 3; fd++)
                ck_assert(!is_open(fd));
            assert_ok(sel_after_fork(sel));
            assert_ok(sel_close(sel));
            _exit(0);
        }
        assert_child_succeeds(pid);
        assert_ok(sel_close(sel));
        _exit(0);
    }
    assert_child_succeeds(pid);
}
END_TEST

/* --- without threads --- */

static void run_one_job(sel_selector *sel)
{
    assert_ok(sel_run_in_executor(sel, no_work, note_done, "j"));
    ck_assert_int_eq(wait_and_pass(sel), 1);
    assert_noted("j");
}

/* How many bytes of address space this process uses. */
static rlim_t measure_space(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* libuv aborts the process when it can't start all threads of its pool. */
static void find_no_room_for_threads(sel_selector *sel, const char *size)
{
    struct rlimit before, little;

    ck_assert_int_eq(setenv("UV_THREADPOOL_SIZE", size, 1), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
    little = before;
    little.rlim_cur = measure_space() + ((rlim_t)24 << 20);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &little), 0);
    for (int i = 0; i < 2; i++)
        assert_error(sel_run_in_executor(sel, no_work, note_done, "never"), EAGAIN);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
    ck_assert_int_eq(setenv("UV_THREADPOOL_SIZE", "8", 1), 0);
    ck_assert_int_eq(pass(sel), 0);
}

static void be_refused_then_served(int backend, const char *size)
{
    sel_selector *sel = open_selector(backend);
    pid_t pid;

    find_no_room_for_threads(sel, size);
    run_one_job(sel);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) { /* its libuv starts threads of its own, at first on the parent's stacks */
        assert_ok(sel_after_fork(sel));
        find_no_room_for_threads(sel, "64");
        run_one_job(sel);
        assert_ok(sel_close(sel));
        _exit(0);
    }
    assert_child_succeeds(pid);
    assert_ok(sel_close(sel));
}

START_TEST(a_first_job_without_room_for_the_threads_is_eagain)
{
    static const char *const sizes[] = {"8", "2000", "-1"};

    if (is_instrumented())
        return; /* a sanitizer needs all the address space there is */
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            be_refused_then_served(_i, sizes[i]);
            _exit(0);
        }
        assert_child_succeeds(pid);
    }
}
END_TEST

/* As a user without any other process, do a first job while that many threads are allowed. */
static int job_as_outsider(int backend, int user, int threads)
{
    struct rlimit limit = {(rlim_t)threads + 1, (rlim_t)threads + 1};
    sel_selector *sel = open_selector(backend);
    int error;

    ck_assert_int_eq(setenv("UV_THREADPOOL_SIZE", "3", 1), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
    ck_assert_int_eq(setuid((uid_t)user), 0);
    error = sel_run_in_executor(sel, no_work, note_done, "j");
    ck_assert(error == 0 || error == -EAGAIN);
    if (error == 0)
        ck_assert_int_eq(wait_and_pass(sel), 1);
    assert_ok(sel_close(sel));
    return error == 0 ? DONE : REFUSED;
}

/* Exactly as many as it needs are enough: those of the trial are gone by then. */
START_TEST(a_first_job_of_a_user_who_may_have_no_more_threads_is_eagain)
{
    if (geteuid() != 0) {
        puts("left out: only root can become a user without other processes");
        return;
    }
    for (int round = 0; round < 40; round++) {
        int threads = round % 5;
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0)
            _exit(job_as_outsider(_i, OUTSIDER + _i * 100 + round, threads));
        ck_assert_int_eq(end_of(pid), threads < 3 ? REFUSED : DONE);
    }
}
END_TEST

START_TEST(a_pool_of_no_threads_is_one_of_one)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        sel_selector *sel = open_selector(_i);

        ck_assert_int_eq(setenv("UV_THREADPOOL_SIZE", "0", 1), 0);
        run_one_job(sel);
        assert_ok(sel_close(sel));
        _exit(0);
    }
    assert_child_succeeds(pid);
}
END_TEST

static pthread_barrier_t together;

static void *run_first_job(void *data)
{
    sel_selector *sel = data;
    int error;

    pthread_barrier_wait(&together);
    error = sel_run_in_executor(sel, no_work, NULL, NULL);
    return error == 0 ? NULL : sel;
}

/* One thread's trial must not use up what another's libuv is about to start. */
START_TEST(first_jobs_of_several_threads_are_all_done)
{
    enum { THREADS = 4 };
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        pthread_t threads[THREADS];
        sel_selector *sels[THREADS];

        ck_assert_int_eq(setenv("UV_THREADPOOL_SIZE", "100", 1), 0);
        ck_assert_int_eq(pthread_barrier_init(&together, NULL, THREADS), 0);
        for (int i = 0; i < THREADS; i++) {
            sels[i] = open_selector(_i);
            start_thread(&threads[i], run_first_job, sels[i]);
        }
        for (int i = 0; i < THREADS; i++) {
            join_thread(threads[i]);
            assert_ok(sel_close(sels[i]));
        }
        _exit(0);
    }
    assert_child_succeeds(pid);
}
END_TEST

static TCase *cold(const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_set_timeout(tcase, 60);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("cold");
    TCase *descriptors = cold("descriptors"), *threads = cold("threads");

    add_backend_test(descriptors, the_first_of_a_kind_in_a_process_is_done_or_refused);
    add_backend_test(descriptors, a_child_with_few_descriptors_follows_or_is_refused);
    add_backend_test(descriptors, standard_descriptors_are_held_where_there_is_no_dev_null);
    add_backend_test(descriptors,
                     children_of_a_process_that_closed_its_standard_descriptors_live);
    add_backend_test(threads, a_first_job_without_room_for_the_threads_is_eagain);
    add_backend_test(threads, a_first_job_of_a_user_who_may_have_no_more_threads_is_eagain);
    add_backend_test(threads, a_pool_of_no_threads_is_one_of_one);
    add_backend_test(threads, first_jobs_of_several_threads_are_all_done);
    suite_add_tcase(suite, descriptors);
    suite_add_tcase(suite, threads);
    return run_suite(suite);
}
