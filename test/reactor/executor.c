/* SPDX-License-Identifier: MIT */
/*
 * Work on pool threads: done exactly once, on the dispatching thread, at the latest
 * when the selector is closed, and in one process only.
 */
#include "support/journal.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { POOL = 8 };

/* A job that records where and how often it ran. */
typedef struct {
    pthread_t dispatcher;
    atomic_int worked;
    int done;
    int status;
    bool elsewhere; /* work ran on another thread than done */
} job;

static void work(void *data)
{
    job *one = data;

    one->elsewhere = !pthread_equal(pthread_self(), one->dispatcher);
    atomic_fetch_add(&one->worked, 1);
}

static void finish(sel_selector *sel, void *data, int status)
{
    job *one = data;

    (void)sel;
    if (!pthread_equal(pthread_self(), one->dispatcher))
        ck_abort_msg("done on another thread");
    one->done++;
    one->status = status;
}

static job *make_jobs(int count)
{
    job *jobs = calloc((size_t)count, sizeof *jobs);

    ck_assert_ptr_nonnull(jobs);
    for (int i = 0; i < count; i++)
        jobs[i].dispatcher = pthread_self();
    return jobs;
}

/* Each was done once; it ran once, or was cancelled and never ran. Returns how many ran. */
static int count_ran(const job *jobs, int count)
{
    int ran = 0, wrong = 0;

    for (int i = 0; i < count; i++) {
        wrong += jobs[i].done != 1;
        wrong += jobs[i].worked != (jobs[i].status == 0);
        wrong += jobs[i].status != 0 && jobs[i].status != -ECANCELED;
        wrong += jobs[i].worked == 1 && !jobs[i].elsewhere;
        ran += jobs[i].worked;
    }
    ck_assert_int_eq(wrong, 0);
    return ran;
}

START_TEST(every_job_is_worked_and_done_exactly_once)
{
    sel_selector *sel = open_selector(_i);
    int count = choose_rounds(20000), refused = 0;
    job *jobs = make_jobs(count);

    for (int i = 0; i < count; i++)
        refused += sel_run_in_executor(sel, work, finish, &jobs[i]) != 0;
    ck_assert_int_eq(refused, 0);
    assert_ok(sel_run(sel)); /* goes on until the last is done */
    ck_assert_int_eq(count_ran(jobs, count), count);
    assert_quiet(sel, 0.01);
    assert_ok(sel_close(sel));
    free(jobs);
}
END_TEST

START_TEST(done_may_be_null)
{
    sel_selector *sel = open_selector(_i);
    job *jobs = make_jobs(50);

    for (int i = 0; i < 50; i++)
        assert_ok(sel_run_in_executor(sel, work, NULL, &jobs[i]));
    assert_ok(sel_run(sel));
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(jobs[i].worked, 1);
    assert_ok(sel_close(sel));
    free(jobs);
}
END_TEST

START_TEST(done_runs_in_dispatch_and_nowhere_else)
{
    sel_selector *sel = open_selector(_i);
    job *jobs = make_jobs(1);

    assert_ok(sel_run_in_executor(sel, work, finish, jobs));
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    ck_assert_int_eq(jobs->worked, 1);
    ck_assert_int_eq(jobs->done, 0);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(jobs->done, 1);
    assert_ok(sel_close(sel));
    ck_assert_int_eq(jobs->done, 1);
    free(jobs);
}
END_TEST

static void hand_in_next(sel_selector *sel, void *data, int status)
{
    int *left = data;

    assert_ok(status);
    if (--*left > 0)
        assert_ok(sel_run_in_executor(sel, no_work, hand_in_next, left));
}

START_TEST(done_may_hand_in_more_work)
{
    sel_selector *sel = open_selector(_i);
    int left[3] = {200, 300, 400};

    for (int i = 0; i < 3; i++)
        assert_ok(sel_run_in_executor(sel, no_work, hand_in_next, &left[i]));
    assert_ok(sel_run(sel));
    ck_assert_int_eq(left[0] + left[1] + left[2], 0);
    assert_ok(sel_close(sel));
}
END_TEST

/* --- closing --- */

/* Work that waits until its gate opens. */
typedef struct {
    int gate[2]; /* work waits for the other end to be closed */
    atomic_int waiting;
    job job;
} held_job;

static void wait_at_gate(void *data)
{
    held_job *held = data;
    char byte;

    atomic_fetch_add(&held->waiting, 1);
    if (read(held->gate[0], &byte, 1) != 0)
        abort();
    work(&held->job);
}

static void finish_held(sel_selector *sel, void *data, int status)
{
    finish(sel, &((held_job *)data)->job, status);
}

static void hold(sel_selector *sel, held_job *held)
{
    *held = (held_job){.job = {.dispatcher = pthread_self()}};
    make_pipe(held->gate);
    assert_ok(sel_run_in_executor(sel, wait_at_gate, finish_held, held));
}

static void wait_until_held(held_job *held)
{
    while (atomic_load(&held->waiting) == 0)
        sched_yield();
}

typedef struct {
    held_job *held;
    pid_t closer;
} opener;

/* Once the closing thread sleeps, it waits for the work, and has cancelled the rest. */
static void *open_gates(void *data)
{
    opener *one = data;

    wait_until_asleep(one->closer);
    for (int i = 0; i < POOL; i++)
        close(one->held[i].gate[1]);
    return NULL;
}

START_TEST(close_cancels_what_has_not_started_and_waits_for_what_has)
{
    enum { QUEUED = 500 };
    sel_selector *sel = open_selector(_i);
    job *queued = make_jobs(QUEUED);
    held_job held[POOL];
    opener one = {.held = held, .closer = this_thread()};
    pthread_t thread;

    for (int i = 0; i < POOL; i++)
        hold(sel, &held[i]);
    for (int i = 0; i < QUEUED; i++)
        assert_ok(sel_run_in_executor(sel, work, finish, &queued[i]));
    for (int i = 0; i < POOL; i++)
        wait_until_held(&held[i]);
    start_thread(&thread, open_gates, &one);
    assert_ok(sel_close(sel));
    join_thread(thread);
    if (!is_instrumented()) /* valgrind runs one thread at a time, the others sleep */
        ck_assert_int_eq(count_ran(queued, QUEUED), 0);
    ck_assert_int_lt(count_ran(queued, QUEUED), QUEUED);
    for (int i = 0; i < POOL; i++) {
        ck_assert_int_eq(count_ran(&held[i].job, 1), 1);
        close(held[i].gate[0]);
    }
    free(queued);
}
END_TEST

/* However far the work has come, every job is accounted for. */
START_TEST(close_at_any_moment_loses_no_job)
{
    enum { JOBS = 100 };
    int rounds = choose_rounds(20000) / 200;

    for (int round = 0; round < rounds; round++) {
        sel_selector *sel = open_selector(_i);
        job *jobs = make_jobs(JOBS);

        for (int i = 0; i < JOBS; i++)
            assert_ok(sel_run_in_executor(sel, work, finish, &jobs[i]));
        for (int i = 0; i < round % 7; i++)
            pass(sel);
        if (round % 3 == 0)
            ck_assert_int_ge(sel_select(sel, 0.001, NULL), 0);
        assert_ok(sel_close(sel));
        count_ran(jobs, JOBS);
        free(jobs);
    }
}
END_TEST

static void use_selector(sel_selector *sel, void *data, int status)
{
    int fd = make_eventfd(1);
    sel_timer timer;

    (void)status;
    assert_error(sel_close(sel), EBUSY);
    assert_error(sel_select(sel, 0, NULL), EBUSY);
    assert_error(sel_dispatch(sel), EBUSY);
    assert_error(sel_run(sel), EBUSY);
    assert_ok(sel_register(sel, fd, SEL_EVENT_READ, note_ready, "never"));
    ck_assert_int_eq(sel_get_map(sel, NULL, 0), 1);
    assert_ok(sel_modify(sel, fd, SEL_EVENT_WRITE, note_ready, "never"));
    assert_ok(sel_unregister(sel, fd));
    assert_ok(sel_call_soon(sel, never, NULL));
    assert_ok(sel_call_later(sel, 0, never, NULL, NULL));
    assert_ok(sel_call_later(sel, 0, never, NULL, &timer));
    assert_ok(sel_cancel(sel, timer));
    assert_ok(sel_wakeup(sel));
    sel_stop(sel);
    close(fd);
    ++*(int *)data;
}

START_TEST(done_may_use_the_selector_while_it_is_closed)
{
    sel_selector *sel = open_selector(_i);
    int done = 0;

    for (int i = 0; i < 20; i++)
        assert_ok(sel_run_in_executor(sel, no_work, use_selector, &done));
    assert_ok(sel_close(sel));
    ck_assert_int_eq(done, 20);
    assert_noted("");
}
END_TEST

static void ask_for_more(sel_selector *sel, void *data, int status)
{
    int *calls = data;

    (void)status;
    ++*calls;
    if (sel_run_in_executor(sel, no_work, ask_for_more, data) == 0)
        --*calls; /* accepted, so its done must be called */
}

START_TEST(work_that_done_hands_in_during_close_is_refused_or_done)
{
    sel_selector *sel = open_selector(_i);
    int calls = 0;

    for (int i = 0; i < 20; i++)
        assert_ok(sel_run_in_executor(sel, no_work, ask_for_more, &calls));
    assert_ok(sel_close(sel));
    ck_assert_int_eq(calls, 20);
}
END_TEST

/* --- several threads --- */

static void *run_jobs(void *data)
{
    int backend = *(int *)data;

    for (int round = 0; round < 10; round++) {
        sel_selector *sel = open_selector(backend);
        job *jobs = make_jobs(100);

        for (int i = 0; i < 100; i++)
            assert_ok(sel_run_in_executor(sel, work, finish, &jobs[i]));
        if (round % 2 == 0)
            assert_ok(sel_run(sel));
        assert_ok(sel_close(sel));
        ck_assert_int_ge(count_ran(jobs, 100), round % 2 == 0 ? 100 : 0);
        free(jobs);
    }
    return NULL;
}

START_TEST(selectors_on_several_threads_share_the_pool)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    int backend = _i;

    for (int i = 0; i < THREADS; i++)
        start_thread(&threads[i], run_jobs, &backend);
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("executor");
    TCase *tcase = new_tcase("executor");

    setenv("UV_THREADPOOL_SIZE", "8", 1); /* POOL */
    add_backend_test(tcase, every_job_is_worked_and_done_exactly_once);
    add_backend_test(tcase, done_may_be_null);
    add_backend_test(tcase, done_runs_in_dispatch_and_nowhere_else);
    add_backend_test(tcase, done_may_hand_in_more_work);
    add_backend_test(tcase, close_cancels_what_has_not_started_and_waits_for_what_has);
    add_backend_test(tcase, close_at_any_moment_loses_no_job);
    add_backend_test(tcase, done_may_use_the_selector_while_it_is_closed);
    add_backend_test(tcase, work_that_done_hands_in_during_close_is_refused_or_done);
    if (may_start(1 + 4 + POOL, "selectors on several threads"))
        add_backend_test(tcase, selectors_on_several_threads_share_the_pool);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
