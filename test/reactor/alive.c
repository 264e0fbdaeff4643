/* SPDX-License-Identifier: MIT */
/*
 * sel_is_alive() says what sel_run() would do: go on, or return at once.
 */
#include "support/journal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ };

typedef struct {
    sel_selector *sel;
    pid_t runner;
    bool stopped;
} ending;

static void stop_and_say(sel_selector *sel, void *data)
{
    ((ending *)data)->stopped = true;
    sel_stop(sel);
}

static void *stop_when_asleep(void *data)
{
    ending *end = data;

    wait_until_asleep(end->runner);
    if (sel_call_soon_threadsafe(end->sel, stop_and_say, end) != 0)
        abort();
    return NULL;
}

/* sel_run() sleeps until another thread's task ends it. */
static void assert_goes_on(sel_selector *sel)
{
    ending end = {.sel = sel, .runner = this_thread()};
    pthread_t thread;

    ck_assert_int_eq(sel_is_alive(sel), 1);
    start_thread(&thread, stop_when_asleep, &end);
    assert_ok(sel_run(sel));
    join_thread(thread);
    ck_assert(end.stopped);
    ck_assert_int_eq(sel_is_alive(sel), 1);
}

static void assert_ends(sel_selector *sel)
{
    ck_assert_int_eq(sel_is_alive(sel), 0);
    assert_ok(sel_run(sel));
    ck_assert_int_eq(sel_is_alive(sel), 0);
}

START_TEST(keys_count_unless_they_are_paused_or_mute)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(0), other = make_eventfd(0);

    assert_ends(sel);
    assert_ok(sel_register(sel, other, READ, NULL, NULL));
    assert_ends(sel);
    assert_ok(sel_register(sel, fd, READ, note_ready, "never"));
    assert_goes_on(sel);
    assert_ok(sel_modify(sel, fd, 0, note_ready, "never"));
    assert_ends(sel);
    assert_ok(sel_modify(sel, fd, READ, note_ready, "never"));
    assert_goes_on(sel);
    assert_ok(sel_modify(sel, fd, READ, NULL, NULL));
    assert_ends(sel);
    assert_ok(sel_modify(sel, fd, READ, note_ready, "never"));
    assert_ok(sel_unregister(sel, fd));
    assert_ends(sel);
    assert_ok(sel_close(sel));
    close(fd);
    close(other);
}
END_TEST

START_TEST(timers_count_until_they_have_run_or_are_cancelled)
{
    static const double delays[] = {-1, 0, 0.001, 3600, SEL_FOREVER};
    sel_selector *sel = open_selector(_i);
    sel_timer timer;

    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        assert_ok(sel_call_later(sel, delays[i], note, "t", &timer));
        if (delays[i] > 1)
            assert_goes_on(sel);
        ck_assert_int_eq(sel_is_alive(sel), 1);
        assert_ok(sel_cancel(sel, timer));
        assert_ends(sel);
    }
    assert_ok(sel_call_every(sel, 3600, never, NULL, &timer));
    assert_goes_on(sel);
    assert_ok(sel_reschedule(sel, timer, 7200));
    assert_goes_on(sel);
    assert_ok(sel_cancel(sel, timer));
    assert_ends(sel);
    assert_ok(sel_call_later(sel, 0.001, note, "t", NULL));
    work_for(2000000);
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    ck_assert_int_eq(sel_is_alive(sel), 1); /* due, and still to be run */
    assert_ok(sel_run(sel));
    assert_noted("t");
    assert_ends(sel);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(tasks_count_until_they_have_run)
{
    sel_selector *sel = open_selector(_i);

    assert_ok(sel_call_soon(sel, note, "a"));
    ck_assert_int_eq(sel_is_alive(sel), 1);
    assert_ok(sel_run(sel));
    assert_ends(sel);
    assert_ok(sel_call_soon_threadsafe(sel, note, "b"));
    ck_assert_int_eq(sel_is_alive(sel), 1);
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    ck_assert_int_eq(sel_is_alive(sel), 1); /* the wait has taken it */
    assert_ok(sel_run(sel));
    assert_noted("ab");
    assert_ends(sel);
    assert_ok(sel_wakeup(sel)); /* nothing to run */
    assert_ends(sel);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(signal_handlers_and_jobs_count)
{
    sel_selector *sel;

    if (!sel_backend_available(SEL_BACKEND_UV))
        return;
    sel = open_selector(_i);
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, "s"));
    assert_goes_on(sel);
    assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
    assert_ends(sel);
    assert_ok(sel_run_in_executor(sel, no_work, note_done, "j"));
    ck_assert_int_eq(sel_is_alive(sel), 1);
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    ck_assert_int_eq(sel_is_alive(sel), 1); /* finished, and `done` is to be called */
    assert_ok(sel_run(sel));
    assert_noted("j");
    assert_ends(sel);
    assert_ok(sel_close(sel));
}
END_TEST

/* --- inside a callback: what is still to come --- */

typedef struct {
    int expected;
    sel_timer other; /* cancelled first, if there is one */
} question;

static void ask(sel_selector *sel, void *data)
{
    const question *asked = data;

    if (asked->other.id != 0)
        assert_ok(sel_cancel(sel, asked->other));
    ck_assert_int_eq(sel_is_alive(sel), asked->expected);
    note(sel, "?");
}

START_TEST(the_last_callback_counts_no_more_and_the_one_before_it_does)
{
    sel_selector *sel = open_selector(_i);
    question last = {.expected = 0}, before = {.expected = 1};

    for (int origin = 0; origin < count_origins(); origin++) {
        call_from(sel, origin, ask, &last);
        assert_noted("?");
    }
    assert_ok(sel_call_soon(sel, ask, &before));
    assert_ok(sel_call_soon(sel, ask, &last));
    assert_ok(sel_run(sel));
    assert_ok(sel_call_soon_threadsafe(sel, ask, &before));
    assert_ok(sel_call_soon_threadsafe(sel, ask, &last));
    assert_ok(sel_run(sel));
    assert_noted("????");
    assert_ok(sel_close(sel));
}
END_TEST

/* While the pass has them they are in no heap: the answer was 0. */
START_TEST(timers_of_the_same_pass_count_until_they_run)
{
    sel_selector *sel = open_selector(_i);
    question last = {.expected = 0}, before = {.expected = 1}, cancels = {.expected = 0};

    assert_ok(sel_call_soon(sel, ask, &before));
    assert_ok(sel_call_later(sel, 0, ask, &before, NULL));
    assert_ok(sel_call_later(sel, 0, ask, &last, NULL));
    ck_assert_int_eq(pass(sel), 3);
    assert_noted("???");
    assert_ok(sel_call_later(sel, 0, ask, &cancels, NULL));
    assert_ok(sel_call_later(sel, 0, never, NULL, &cancels.other));
    ck_assert_int_eq(pass(sel), 1);
    assert_noted("?");
    assert_ends(sel);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_repeating_timer_counts_in_its_own_task_until_it_is_cancelled)
{
    sel_selector *sel = open_selector(_i);
    question goes_on = {.expected = 1}, ends = {.expected = 0};
    sel_timer timer;

    assert_ok(sel_call_every(sel, 0.001, ask, &goes_on, &timer));
    ck_assert_int_eq(wait_and_pass(sel), 1);
    assert_ok(sel_cancel(sel, timer));
    assert_ends(sel);
    assert_ok(sel_call_every(sel, 0.001, ask, &ends, &ends.other));
    assert_ok(sel_run(sel));
    assert_noted("??");
    assert_ends(sel);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(no_selector_and_another_process_are_errors)
{
    sel_selector *sel = open_selector(_i);
    pid_t pid;

    assert_error(sel_is_alive(NULL), EINVAL);
    assert_ok(sel_call_soon(sel, note, "a"));
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        assert_error(sel_is_alive(sel), ECHILD);
        assert_ok(sel_after_fork(sel));
        ck_assert_int_eq(sel_is_alive(sel), 1);
        assert_ok(sel_run(sel));
        assert_ends(sel);
        assert_ok(sel_close(sel));
        _exit(0);
    }
    assert_child_succeeds(pid);
    ck_assert_int_eq(sel_is_alive(sel), 1);
    assert_ok(sel_close(sel));
}
END_TEST

static int answers;

static void run_by_hand(sel_selector *sel)
{
    while (sel_is_alive(sel) == 1) {
        ck_assert_int_ge(sel_select(sel, SEL_FOREVER, NULL), 0);
        ck_assert_int_ge(sel_dispatch(sel), 0);
    }
}

static void queue_nine_more(sel_selector *sel, void *unused)
{
    (void)unused;
    if (++answers % 10 != 0)
        assert_ok(answers % 2 ? sel_call_soon(sel, queue_nine_more, NULL) :
                                sel_call_later(sel, 0.0005, queue_nine_more, NULL, NULL));
}

/* What sel_is_alive() is for. */
START_TEST(a_loop_of_the_programs_own_ends_when_nothing_is_left)
{
    sel_selector *sel = open_selector(_i);

    answers = 0;
    assert_ok(sel_call_soon(sel, queue_nine_more, NULL));
    run_by_hand(sel);
    ck_assert_int_eq(answers, 10);
    assert_ok(sel_call_later(sel, 0.001, queue_nine_more, NULL, NULL));
    assert_ok(sel_call_later(sel, 0.01, note, "t", NULL));
    run_by_hand(sel);
    ck_assert_int_eq(answers, 20);
    assert_noted("t");
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("alive");
    TCase *tcase = new_tcase("sel_is_alive");

    add_backend_test(tcase, keys_count_unless_they_are_paused_or_mute);
    add_backend_test(tcase, timers_count_until_they_have_run_or_are_cancelled);
    add_backend_test(tcase, tasks_count_until_they_have_run);
    add_backend_test(tcase, signal_handlers_and_jobs_count);
    add_backend_test(tcase, the_last_callback_counts_no_more_and_the_one_before_it_does);
    add_backend_test(tcase, timers_of_the_same_pass_count_until_they_run);
    add_backend_test(tcase,
                     a_repeating_timer_counts_in_its_own_task_until_it_is_cancelled);
    add_backend_test(tcase, no_selector_and_another_process_are_errors);
    add_backend_test(tcase, a_loop_of_the_programs_own_ends_when_nothing_is_left);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
