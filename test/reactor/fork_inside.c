/* SPDX-License-Identifier: MIT */
/*
 * A child that is forked inside a callback and returns from it: a worker that was meant
 * to _exit(), or the half of a program that goes on. It used to go on with its parent's
 * pass inside sel_run(), run its timers and take its wake-ups, so that the parent slept
 * for ever. Now the pass ends there, and the child decides.
 */
#include "support/journal.h"

#include <errno.h>
#include <selkie/uv.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child; /* 0 in the child, -1 before */

/* Returns in the parent once the child has ended. */
static void fork_now(sel_selector *sel)
{
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child > 0) {
        assert_child_succeeds(child);
        return;
    }
    alarm(30);
    assert_error(sel_after_fork(sel), EBUSY);
    assert_error(sel_close(sel), EBUSY);
    assert_error(sel_run(sel), ECHILD);
}

static void note_and_fork(sel_selector *sel, void *data)
{
    note(sel, data);
    if (child == -1)
        fork_now(sel);
}

static void note_and_fork_ready(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    assert_ok(sel_unregister(sel, key->fd));
    note_and_fork(sel, key->data);
}

static void note_and_fork_done(sel_selector *sel, void *data, int status)
{
    ck_assert(status == 0 || status == -ECANCELED);
    note_and_fork(sel, data);
}

/* What was sent to the parent is not lost: otherwise it would wait here for ever. */
static void assert_parent_is_whole(sel_selector *sel)
{
    for (int i = 0; i < 3; i++) {
        assert_ok(sel_call_soon_threadsafe(sel, note, "w"));
        ck_assert_int_ge(sel_select(sel, SEL_FOREVER, NULL), 0);
        ck_assert_int_eq(sel_dispatch(sel), 1);
    }
    assert_noted("www");
    assert_ok(sel_wakeup(sel));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    assert_ok(sel_close(sel));
}

static void end_child(sel_selector *sel)
{
    assert_ok(sel_close(sel));
    _exit(0);
}

/* Tasks, a key, a timer: the first task forks. */
static sel_selector *prepare_pass(int i, int fd)
{
    sel_selector *sel = open_selector(i);

    child = -1;
    assert_ok(sel_register(sel, fd, SEL_EVENT_READ, note_and_fork_ready, "k"));
    assert_ok(sel_call_soon(sel, note_and_fork, "a"));
    assert_ok(sel_call_soon(sel, note, "b"));
    assert_ok(sel_call_later(sel, 0, note, "t", NULL));
    return sel;
}

START_TEST(of_the_pass_in_which_a_child_is_forked_it_runs_nothing_more)
{
    int fd = make_eventfd(1);
    sel_selector *sel = prepare_pass(_i, fd);
    int error = sel_run(sel);

    if (child == 0) {
        assert_error(error, ECHILD);
        assert_noted("a");
        assert_error(sel_select(sel, 0, NULL), ECHILD);
        assert_error(sel_dispatch(sel), ECHILD);
        end_child(sel);
    }
    assert_ok(error);
    assert_noted("abkt");
    assert_parent_is_whole(sel);
    close(fd);
}
END_TEST

START_TEST(what_had_not_run_at_the_fork_the_child_has_once_it_follows)
{
    int fd = make_eventfd(1);
    sel_selector *sel = prepare_pass(_i, fd);
    int error = sel_run(sel);

    if (child == 0) {
        assert_error(error, ECHILD);
        assert_ok(sel_after_fork(sel));
        assert_ok(sel_call_soon(sel, note, "c"));
        assert_ok(sel_run(sel));
        assert_noted("abckt");
        end_child(sel);
    }
    assert_ok(error);
    assert_noted("abkt");
    assert_parent_is_whole(sel);
    close(fd);
}
END_TEST

/* The task that forks queues another one. */
static void note_queue_and_fork(sel_selector *sel, void *data)
{
    assert_ok(sel_call_soon(sel, note, "d"));
    note_and_fork(sel, data);
}

START_TEST(tasks_that_had_not_run_at_the_fork_stay_before_what_came_since)
{
    sel_selector *sel = open_selector(_i);
    int error;

    child = -1;
    assert_ok(sel_call_soon(sel, note_queue_and_fork, "a"));
    assert_ok(sel_call_soon(sel, note, "b"));
    assert_ok(sel_call_soon(sel, note, "c"));
    error = sel_run(sel);
    if (child == 0) {
        assert_error(error, ECHILD);
        assert_noted("a");
        assert_ok(sel_after_fork(sel));
        assert_ok(sel_call_soon(sel, note, "e"));
        assert_ok(sel_run(sel));
        assert_noted("bcde");
        end_child(sel);
    }
    assert_ok(error);
    assert_noted("abcd");
    assert_parent_is_whole(sel);
}
END_TEST

START_TEST(a_dispatch_says_in_the_child_that_it_is_one)
{
    int fds[2] = {make_eventfd(1), make_eventfd(1)};
    sel_selector *sel = open_selector(_i);
    int called;

    child = -1;
    for (int i = 0; i < 2; i++)
        assert_ok(sel_register(sel, fds[i], SEL_EVENT_READ, note_and_fork_ready, "k"));
    ck_assert_int_eq(count_ready(sel), 2);
    called = sel_dispatch(sel);
    if (child == 0) {
        assert_error(called, ECHILD);
        assert_noted("k");
        assert_ok(sel_after_fork(sel));
        ck_assert_int_eq(sel_dispatch(sel), 0); /* that pass is over */
        ck_assert_int_eq(pass(sel), 1);
        assert_noted("k");
        end_child(sel);
    }
    ck_assert_int_eq(called, 2);
    assert_noted("kk");
    assert_parent_is_whole(sel);
    close_pair(fds);
}
END_TEST

static void count_and_fork(sel_selector *sel, void *data)
{
    count_task(sel, data);
    if (child == -1)
        fork_now(sel);
}

/* Two timers that are due, the first of which forks, and one that is not. */
START_TEST(timers_that_were_due_at_the_fork_are_still_there)
{
    sel_selector *sel = open_selector(_i);
    sel_timer every, later;
    int repeated = 0, ran = 0, error;

    child = -1;
    assert_ok(sel_call_every(sel, 0.002, count_and_fork, &repeated, &every));
    assert_ok(sel_call_later(sel, 0.002, count_task, &ran, NULL));
    assert_ok(sel_call_later(sel, 3600, never, NULL, &later));
    work_for(3000000); /* both are due at once */
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    error = sel_dispatch(sel);
    ck_assert_int_eq(error, child == 0 ? -ECHILD : 2);
    ck_assert_int_eq(repeated, 1);
    ck_assert_int_eq(ran, child != 0);
    if (child == 0) {
        assert_ok(sel_after_fork(sel));
        while (repeated < 3)
            wait_and_pass(sel);
        ck_assert_int_eq(ran, 1);
    }
    assert_ok(sel_cancel(sel, every));
    assert_ok(sel_cancel(sel, later));
    assert_ok(sel_run(sel));
    if (child == 0)
        end_child(sel);
    assert_parent_is_whole(sel);
}
END_TEST

/* The parent has received both, and the child neither. */
START_TEST(signals_that_had_come_at_the_fork_are_the_parents)
{
    static const int signums[] = {SIGUSR1, SIGUSR2};
    sel_selector *sel = open_selector(_i);
    int error;

    child = -1;
    for (int i = 0; i < 2; i++) {
        assert_ok(sel_add_signal_handler(sel, signums[i], note_and_fork, "s"));
        raise(signums[i]);
    }
    error = sel_select(sel, SEL_FOREVER, NULL);
    if (error == 0)
        error = sel_dispatch(sel);
    if (child == 0) {
        assert_error(error, ECHILD);
        assert_noted("s");
        assert_ok(sel_after_fork(sel));
        ck_assert_int_eq(pass(sel), 0);
        raise(SIGUSR2);
        ck_assert_int_eq(wait_and_pass(sel), 1);
        assert_noted("s");
        end_child(sel);
    }
    ck_assert_int_eq(error, 2);
    assert_noted("ss");
    assert_parent_is_whole(sel);
}
END_TEST

/* The second had arrived when a task forked, and its handler was removed. */
static void remove_and_fork(sel_selector *sel, void *unused)
{
    (void)unused;
    assert_ok(sel_remove_signal_handler(sel, SIGUSR2));
    fork_now(sel);
}

START_TEST(a_signal_whose_handler_was_removed_before_the_fork_is_nobodys)
{
    for (int follows = 0; follows < 2; follows++) {
        sel_selector *sel = open_selector(_i);
        int error;

        child = -1;
        assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, "s"));
        assert_ok(sel_add_signal_handler(sel, SIGUSR2, never, NULL));
        raise(SIGUSR1);
        raise(SIGUSR2);
        assert_ok(sel_call_soon(sel, remove_and_fork, NULL));
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        error = sel_dispatch(sel);
        if (child == 0) {
            assert_error(error, ECHILD);
            if (follows) {
                assert_ok(sel_after_fork(sel));
                ck_assert_int_eq(pass(sel), 0);
            }
            end_child(sel);
        }
        ck_assert_int_eq(error, 2);
        assert_noted("s");
        assert_parent_is_whole(sel);
    }
}
END_TEST

/* Two jobs whose results arrive in one pass; `done` of the first forks. */
static void begin_jobs(sel_selector *sel)
{
    child = -1;
    for (int i = 0; i < 2; i++)
        assert_ok(sel_run_in_executor(sel, no_work, note_and_fork_done, "d"));
}

START_TEST(results_that_were_there_at_the_fork_are_the_parents)
{
    sel_selector *sel = open_selector(_i);
    int error;

    begin_jobs(sel);
    error = sel_run(sel);
    if (child == 0) {
        assert_error(error, ECHILD);
        assert_noted("d");
        assert_ok(sel_after_fork(sel));
        assert_ok(sel_run(sel));
        assert_noted("");
        end_child(sel);
    }
    assert_ok(error);
    assert_noted("dd");
    assert_parent_is_whole(sel);
}
END_TEST

START_TEST(a_close_whose_done_forks_ends_both_selectors)
{
    sel_selector *sel = open_selector(_i);

    begin_jobs(sel);
    assert_ok(sel_close(sel));
    assert_noted(child == 0 ? "d" : "dd");
    if (child == 0)
        _exit(0);
}
END_TEST

static jmp_buf out;

static void jump(sel_selector *sel, void *unused)
{
    (void)sel;
    (void)unused;
    longjmp(out, 1);
}

/* Nothing can be done with it any more, but it does no harm either. */
START_TEST(a_callback_that_is_left_by_longjmp_stays_the_one_that_runs)
{
    sel_selector *sel = open_selector(_i);
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        assert_ok(sel_after_fork(sel));
        assert_ok(sel_call_soon(sel, jump, NULL));
        if (setjmp(out) == 0)
            sel_run(sel);
        assert_error(sel_run(sel), EBUSY);
        assert_error(sel_select(sel, 0, NULL), EBUSY);
        assert_error(sel_dispatch(sel), EBUSY);
        assert_error(sel_close(sel), EBUSY);
        assert_ok(sel_call_soon(sel, never, NULL));
        _exit(0);
    }
    assert_child_succeeds(pid);
    assert_ok(sel_close(sel));
}
END_TEST

/* --- around others --- */

static void run_inner(sel_selector *sel, void *data)
{
    int error = sel_run(data);

    (void)sel;
    ck_assert_int_eq(error, child == 0 ? -ECHILD : 0);
}

START_TEST(a_fork_inside_two_selectors_ends_the_passes_of_both)
{
    sel_selector *outer = open_selector(_i);
    sel_selector *inner = open_selector(_i);
    int error;

    child = -1;
    assert_ok(sel_call_soon(outer, run_inner, inner));
    assert_ok(sel_call_soon(outer, note, "o"));
    assert_ok(sel_call_soon(inner, note_and_fork, "f"));
    assert_ok(sel_call_soon(inner, note, "i"));
    error = sel_run(outer);
    if (child == 0) {
        assert_error(error, ECHILD);
        assert_noted("f");
        assert_ok(sel_after_fork(outer));
        assert_error(sel_run(inner), ECHILD); /* each one for itself */
        assert_ok(sel_run(outer));
        assert_noted("o");
        assert_ok(sel_close(inner));
        end_child(outer);
    }
    assert_ok(error);
    assert_noted("fio");
    assert_ok(sel_close(inner));
    assert_parent_is_whole(outer);
}
END_TEST

/* The program's own loop goes on in the child; nothing of the selector's runs there. */
START_TEST(a_loop_that_runs_the_selector_runs_nothing_of_it_in_the_child)
{
    int fd = make_eventfd(1);
    sel_selector *sel = prepare_pass(_i, fd);
    uv_loop_t loop;

    assert_ok(uv_loop_init(&loop));
    assert_ok(sel_attach_loop(sel, &loop));
    while (child == -1)
        uv_run(&loop, UV_RUN_ONCE);
    if (child == 0) {
        for (int i = 0; i < 3; i++)
            uv_run(&loop, UV_RUN_NOWAIT);
        assert_noted("a");
        assert_ok(uv_loop_fork(&loop));
        uv_run(&loop, UV_RUN_NOWAIT);
        assert_noted("");
        assert_ok(sel_after_fork(sel));
    }
    assert_ok(uv_run(&loop, UV_RUN_DEFAULT));
    assert_noted(child == 0 ? "bkt" : "abkt");
    assert_ok(sel_close(sel));
    assert_ok(uv_run(&loop, UV_RUN_DEFAULT));
    assert_ok(uv_loop_close(&loop));
    close(fd);
    if (child == 0)
        _exit(0);
}
END_TEST

static void note_turn(uv_timer_t *timer)
{
    note(NULL, timer->data);
}

/* The program's handles, which were due when a task forked. */
START_TEST(handles_on_the_selectors_loop_do_not_run_in_the_child)
{
    sel_selector *sel = open_selector(_i);
    uv_timer_t timer = {.data = "u"};
    int error;

    child = -1;
    assert_ok(uv_timer_init(sel_loop(sel), &timer));
    assert_ok(uv_timer_start(&timer, note_turn, 0, 0));
    assert_ok(sel_call_soon(sel, note_and_fork, "a"));
    error = sel_run(sel);
    if (child == 0) {
        assert_error(error, ECHILD);
        assert_noted("a");
        assert_ok(sel_after_fork(sel));
        assert_ok(sel_run(sel));
        assert_noted("u");
        end_child(sel);
    }
    assert_ok(error);
    assert_noted("au");
    assert_parent_is_whole(sel);
}
END_TEST

static void fork_in_turn(uv_timer_t *timer)
{
    assert_ok(sel_call_later(timer->data, 0, note, "t", NULL));
    note_and_fork(timer->data, "u");
}

START_TEST(a_handles_callback_that_forks_ends_the_pass_too)
{
    sel_selector *sel = open_selector(_i);
    uv_timer_t timer = {.data = sel};
    int error;

    child = -1;
    assert_ok(uv_timer_init(sel_loop(sel), &timer));
    assert_ok(uv_timer_start(&timer, fork_in_turn, 0, 0));
    error = sel_run(sel);
    if (child == 0) {
        assert_error(error, ECHILD);
        assert_noted("u");
        assert_ok(sel_after_fork(sel));
        assert_ok(sel_run(sel));
        assert_noted("t");
        end_child(sel);
    }
    assert_ok(error);
    assert_noted("ut");
    assert_parent_is_whole(sel);
}
END_TEST

/* --- inside a wait --- */

static sel_selector *waiting;
static int child_status;

static void fork_in_signal(int signum)
{
    (void)signum;
    child = fork();
    if (child > 0 && (sel_wakeup(waiting) != 0 || waitpid(child, &child_status, 0) != child))
        _exit(EXIT_FAILURE); /* check's asserts allocate */
}

/*
 * The child returns from its signal handler into its parent's wait. What wakes the
 * parent, which leaves it alone until the child has ended, ends the wait there too, but
 * is not consumed: otherwise the parent would sleep on.
 */
START_TEST(a_wait_in_which_a_signal_forks_leaves_the_wakeup_to_the_parent)
{
    struct sigaction action = {.sa_handler = fork_in_signal};
    struct itimerval soon = {.it_value.tv_usec = 200000};
    int error;

    waiting = open_selector(_i);
    child = -1;
    assert_ok(sigaction(SIGALRM, &action, NULL));
    assert_ok(setitimer(ITIMER_REAL, &soon, NULL));
    error = sel_select(waiting, SEL_FOREVER, NULL);
    if (child == 0) {
        assert_error(error, ECHILD);
        assert_error(sel_run(waiting), ECHILD);
        end_child(waiting);
    }
    assert_ok(error);
    ck_assert_int_eq(child_status, 0);
    assert_quiet(waiting, 0.01);
    assert_parent_is_whole(waiting);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fork_inside");
    TCase *tcase = new_tcase("a fork inside a callback");

    add_backend_test(tcase, of_the_pass_in_which_a_child_is_forked_it_runs_nothing_more);
    add_backend_test(tcase, what_had_not_run_at_the_fork_the_child_has_once_it_follows);
    add_backend_test(tcase, tasks_that_had_not_run_at_the_fork_stay_before_what_came_since);
    add_backend_test(tcase, a_dispatch_says_in_the_child_that_it_is_one);
    add_backend_test(tcase, timers_that_were_due_at_the_fork_are_still_there);
    add_backend_test(tcase, signals_that_had_come_at_the_fork_are_the_parents);
    add_backend_test(tcase, a_signal_whose_handler_was_removed_before_the_fork_is_nobodys);
    add_backend_test(tcase, results_that_were_there_at_the_fork_are_the_parents);
    add_backend_test(tcase, a_close_whose_done_forks_ends_both_selectors);
    add_backend_test(tcase, a_callback_that_is_left_by_longjmp_stays_the_one_that_runs);
    add_backend_test(tcase, a_fork_inside_two_selectors_ends_the_passes_of_both);
    add_fileno_test(tcase, a_loop_that_runs_the_selector_runs_nothing_of_it_in_the_child);
    add_backend_test(tcase, handles_on_the_selectors_loop_do_not_run_in_the_child);
    add_backend_test(tcase, a_handles_callback_that_forks_ends_the_pass_too);
    add_backend_test(tcase, a_wait_in_which_a_signal_forks_leaves_the_wakeup_to_the_parent);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
