/* SPDX-License-Identifier: MIT */
/*
 * The library on a system other than this one: its objects again, with wrappers around
 * some of what they call, which answer as an older kernel, an emulator or another libuv
 * would. Each case is a process of its own in which nothing was done before.
 */
#include "support/journal.h"

#include <errno.h>
#include <poll.h>
#include <selkie/uv.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIBUV_1_44 = 0x12c00, LIBUV_1_45 = 0x12d00, RINGS = 2, MOST_THREADS = 1024 };
enum { STACK_SIZE = 8 << 20, STATUS = 7 };

/* --- what is wrapped --- */

static int (*advise)(void); /* what madvise() does, or NULL */
static unsigned int version; /* of libuv, or 0 */
static int opened; /* eventfds */
static enum { MAKE, PRETEND, REFUSE } threads;
static int pretended; /* threads */
static uv_thread_options_t options; /* of the last */
static int queued; /* jobs */
static int (*at_poll)(void); /* 0, or what poll() fails with */
static uint64_t behind; /* how many milliseconds libuv's clock is behind */

int __real_madvise(void *start, size_t length, int advice);
int __wrap_madvise(void *start, size_t length, int advice);
unsigned int __real_uv_version(void);
unsigned int __wrap_uv_version(void);
int __real_eventfd(unsigned int count, int flags);
int __wrap_eventfd(unsigned int count, int flags);
int __real_uv_thread_create_ex(uv_thread_t *thread, const uv_thread_options_t *given,
                               uv_thread_cb entry, void *argument);
int __wrap_uv_thread_create_ex(uv_thread_t *thread, const uv_thread_options_t *given,
                               uv_thread_cb entry, void *argument);
int __real_uv_thread_join(uv_thread_t *thread);
int __wrap_uv_thread_join(uv_thread_t *thread);
int __real_uv_queue_work(uv_loop_t *loop, uv_work_t *request, uv_work_cb work,
                         uv_after_work_cb done);
int __wrap_uv_queue_work(uv_loop_t *loop, uv_work_t *request, uv_work_cb work,
                         uv_after_work_cb done);
uint64_t __real_uv_now(const uv_loop_t *loop);
uint64_t __wrap_uv_now(const uv_loop_t *loop);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);

int __wrap_madvise(void *start, size_t length, int advice)
{
    return advise != NULL ? advise() : __real_madvise(start, length, advice);
}

unsigned int __wrap_uv_version(void)
{
    return version != 0 ? version : __real_uv_version();
}

int __wrap_eventfd(unsigned int count, int flags)
{
    opened++;
    return __real_eventfd(count, flags);
}

int __wrap_uv_thread_create_ex(uv_thread_t *thread, const uv_thread_options_t *given,
                               uv_thread_cb entry, void *argument)
{
    if (threads == REFUSE)
        return UV_EAGAIN;
    if (threads == MAKE)
        return __real_uv_thread_create_ex(thread, given, entry, argument);
    pretended++;
    options = *given;
    return 0;
}

/* All have been counted by then: so libuv itself need not start as many. */
int __wrap_uv_thread_join(uv_thread_t *thread)
{
    return threads == PRETEND ? setenv("UV_THREADPOOL_SIZE", "1", 1) :
                                __real_uv_thread_join(thread);
}

uint64_t __wrap_uv_now(const uv_loop_t *loop)
{
    return __real_uv_now(loop) - behind;
}

int __wrap_uv_queue_work(uv_loop_t *loop, uv_work_t *request, uv_work_cb work,
                         uv_after_work_cb done)
{
    queued++;
    return __real_uv_queue_work(loop, request, work, done);
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    errno = at_poll != NULL ? at_poll() : 0;
    return errno != 0 ? -1 : __real_poll(fds, count, timeout);
}

typedef int process_body(int backend);

/* What it returns in a process of its own. */
static int in_a_process(process_body *body, int backend)
{
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        alarm(30);
        _exit(body(backend));
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status), "a process was ended: status %#x", (unsigned int)status);
    return WEXITSTATUS(status);
}

/* --- another kernel --- */

/* Before 4.14. */
static int refuse_advice(void)
{
    errno = EINVAL;
    return -1;
}

/* An emulator's. */
static int ignore_advice(void)
{
    return 0;
}

/* A child, which follows, and its child. */
static void assert_children_are_known(sel_selector *sel, int generations)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        assert_error(sel_select(sel, 0, NULL), ECHILD);
        assert_ok(sel_after_fork(sel));
        if (generations > 1)
            assert_children_are_known(sel, generations - 1);
        ck_assert_int_eq(sel_select(sel, 0, NULL), 0);
        assert_ok(sel_close(sel));
        _exit(0);
    }
    assert_child_succeeds(pid);
    ck_assert_int_eq(sel_select(sel, 0, NULL), 0);
}

static int fork_twice(int backend)
{
    sel_selector *sel = open_selector(backend);

    assert_children_are_known(sel, 2);
    assert_ok(sel_close(sel));
    return 0;
}

START_TEST(a_child_is_known_where_the_kernel_empties_no_page_of_it)
{
    advise = refuse_advice;
    ck_assert_int_eq(in_a_process(fork_twice, _i), 0);
    advise = ignore_advice;
    ck_assert_int_eq(in_a_process(fork_twice, _i), 0);
}
END_TEST

/* --- another libuv --- */

static int open_first_loop(int backend)
{
    sel_selector *sel = open_selector(backend);

    ck_assert_ptr_nonnull(sel_loop(sel));
    assert_ok(sel_close(sel));
    return opened;
}

/*
 * A first loop that can't open all of its descriptors may end the process, so that is
 * tried first.
 */
START_TEST(a_first_loop_is_tried_with_its_rings_where_libuv_has_some)
{
    int without;

    version = LIBUV_1_44;
    without = in_a_process(open_first_loop, _i);
    version = LIBUV_1_45;
    ck_assert_int_eq(in_a_process(open_first_loop, _i), without + RINGS);
}
END_TEST

static int run_first_job(int backend)
{
    sel_selector *sel = open_selector(backend);

    threads = PRETEND;
    assert_ok(sel_run_in_executor(sel, no_work, note_done, "j"));
    ck_assert_int_eq(wait_and_pass(sel), 1);
    assert_noted("j");
    assert_ok(sel_close(sel));
    return 0;
}

static const char *size; /* UV_THREADPOOL_SIZE */
static int wanted;

static int run_job_in_pool(int backend)
{
    if (size != NULL)
        ck_assert_int_eq(setenv("UV_THREADPOOL_SIZE", size, 1), 0);
    else
        ck_assert_int_eq(unsetenv("UV_THREADPOOL_SIZE"), 0);
    run_first_job(backend);
    ck_assert_int_eq(pretended, wanted);
    return 0;
}

/* More than libuv accepts, or a negative number, counts as its 1024. */
START_TEST(as_many_threads_are_tried_as_libuv_will_start)
{
    static const struct {
        const char *size;
        int wanted;
    } cases[] = {
        {NULL, 4}, {"", 1}, {"0", 1}, {"3", 3}, {"1024", MOST_THREADS},
        {"1025", MOST_THREADS}, {"2147483647", MOST_THREADS}, {"-1", MOST_THREADS},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size = cases[i].size;
        wanted = cases[i].wanted;
        ck_assert_int_eq(in_a_process(run_job_in_pool, _i), 0);
    }
}
END_TEST

static int look_at_stacks(int backend)
{
    run_first_job(backend);
    if (version < LIBUV_1_45) {
        ck_assert_int_eq(options.flags, UV_THREAD_NO_FLAGS);
    } else {
        ck_assert_int_eq(options.flags, UV_THREAD_HAS_STACK_SIZE);
        ck_assert_uint_eq(options.stack_size, STACK_SIZE);
    }
    return 0;
}

START_TEST(the_threads_that_are_tried_have_libuvs_stacks)
{
    version = LIBUV_1_44;
    ck_assert_int_eq(in_a_process(look_at_stacks, _i), 0);
    version = LIBUV_1_45;
    ck_assert_int_eq(in_a_process(look_at_stacks, _i), 0);
}
END_TEST

/* --- another course of things --- */

static pid_t parent;

/*
 * Runs before libuv's destructor, which can't be helped. Had libuv been given a job, it
 * would have ended the process because it could not start threads.
 */
static void end_child(void)
{
    if (getpid() != parent)
        _exit(queued == 0 ? STATUS : EXIT_FAILURE);
}

static int exit_in_child(sel_selector *sel, bool with_threads)
{
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        threads = with_threads ? MAKE : REFUSE;
        queued = 0;
        alarm(30);
        exit(EXIT_FAILURE);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    assert_ok(sel_close(sel));
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void prepare_end(void)
{
    parent = getpid();
    ck_assert_int_eq(atexit(end_child), 0); /* before the library's, so it runs after that */
}

static int exit_without_threads(int backend)
{
    sel_selector *sel = open_selector(backend);

    prepare_end();
    assert_ok(sel_run_in_executor(sel, no_work, NULL, NULL));
    assert_ok(sel_run(sel));
    return exit_in_child(sel, false);
}

START_TEST(without_threads_what_the_program_does_at_exit_is_done)
{
    ck_assert_int_eq(in_a_process(exit_without_threads, _i), STATUS);
}
END_TEST

static int exit_after_a_refusal(int backend)
{
    sel_selector *sel = open_selector(backend);

    prepare_end();
    threads = REFUSE;
    assert_error(sel_run_in_executor(sel, no_work, NULL, NULL), EAGAIN);
    return exit_in_child(sel, true);
}

/* Its exit() need not replace any threads. */
START_TEST(a_child_of_one_that_was_refused_its_threads_starts_none)
{
    ck_assert_int_eq(in_a_process(exit_after_a_refusal, _i), STATUS);
}
END_TEST

static int reader = -1;

static int close_reader(void)
{
    if (reader >= 0)
        close(reader);
    reader = -1;
    return 0;
}

/*
 * On `uv`: the number was closed, and a duplicate keeps its file open. The first look
 * of a wait notices that; then the other end is closed, so that the second look sees an
 * error of a file that no key has any more.
 */
START_TEST(an_error_of_a_closed_keys_file_is_nobodys)
{
    sel_selector *sel = open_selector(_i);
    int other = make_eventfd(0), ends[2], kept;

    make_pipe(ends);
    kept = dup(ends[1]);
    assert_ok(sel_register(sel, ends[1], SEL_EVENT_READ | SEL_EVENT_WRITE, NULL, NULL));
    ck_assert_int_eq(look(sel, ends[1]), SEL_EVENT_WRITE);
    close(ends[1]);
    assert_ok(sel_register(sel, other, SEL_EVENT_READ, NULL, NULL));
    reader = ends[0];
    at_poll = close_reader;
    ck_assert_int_eq(sel_select(sel, 0.01, NULL), 0);
    at_poll = NULL;
    close_reader();
    assert_quiet(sel, 0.01);
    move_descriptor(kept, ends[1]);
    assert_ok(sel_register(sel, ends[1], SEL_EVENT_WRITE, NULL, NULL));
    ck_assert_int_eq(look(sel, ends[1]), SEL_EVENT_WRITE);
    assert_ok(sel_close(sel));
    close(ends[1]);
    close(other);
}
END_TEST

static int lack_memory(void)
{
    return ENOMEM;
}

static void never_due(uv_timer_t *timer)
{
    (void)timer;
    ck_abort_msg("an hour has not passed");
}

/*
 * So it does not return at once, again and again, until libuv's clock has got there
 * too. The short wait may have passed by the time it is asked for: then it is asked for
 * again.
 */
START_TEST(where_libuvs_clock_is_behind_a_wait_is_short_and_not_none)
{
    sel_selector *sel = open_selector(_i);
    uv_loop_t *loop = sel_loop(sel);
    uv_timer_t timer;
    double timeout = 0;
    int i;

    uv_timer_init(loop, &timer);
    uv_timer_start(&timer, never_due, 3600 * 1000, 0);
    behind = 3600 * 1000 + 1;
    for (i = 0; i < 1000 && timeout == 0; i++)
        timeout = sel_get_timeout(sel);
    behind = 0;
    ck_assert(timeout > 0 && timeout <= 0.0001);
    uv_close((uv_handle_t *)&timer, NULL);
    assert_ok(sel_close(sel));
}
END_TEST

/* `select` asks it about what was only partly ready. */
START_TEST(a_question_to_poll_that_fails_is_the_waits_error)
{
    sel_selector *sel = open_selector(_i);
    int ends[2];

    make_socketpair(ends);
    assert_ok(sel_register(sel, ends[0], SEL_EVENT_READ | SEL_EVENT_WRITE, NULL, NULL));
    at_poll = lack_memory;
    assert_error(sel_select(sel, 0, NULL), ENOMEM);
    at_poll = NULL;
    ck_assert_int_eq(look(sel, ends[0]), SEL_EVENT_WRITE);
    assert_ok(sel_close(sel));
    close_pair(ends);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("other_systems");
    TCase *cold = tcase_create("others"), *course = new_tcase("another course of things");

    tcase_set_timeout(cold, 60);
    add_backend_test(cold, a_child_is_known_where_the_kernel_empties_no_page_of_it);
    add_backend_test(cold, a_first_loop_is_tried_with_its_rings_where_libuv_has_some);
    add_backend_test(cold, as_many_threads_are_tried_as_libuv_will_start);
    add_backend_test(cold, the_threads_that_are_tried_have_libuvs_stacks);
    add_backend_test(cold, without_threads_what_the_program_does_at_exit_is_done);
    add_backend_test(cold, a_child_of_one_that_was_refused_its_threads_starts_none);
    add_test_between(course, an_error_of_a_closed_keys_file_is_nobodys, 0, 1);
    add_test_between(course, a_question_to_poll_that_fails_is_the_waits_error,
                     FIRST_WITHOUT_FILENO, BACKENDS);
    add_backend_test(course, where_libuvs_clock_is_behind_a_wait_is_short_and_not_none);
    suite_add_tcase(suite, cold);
    suite_add_tcase(suite, course);
    return run_suite(suite);
}
