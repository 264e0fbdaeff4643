/* SPDX-License-Identifier: MIT */
/*
 * A task or a timer's task forks and returns in the child too: the rest of the pass is
 * the parent's only. In the child, once it follows, what has not run waits again, in
 * the same order.
 */
#include "support/journal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static pid_t child; /* 0 in the child, -1 before */

/* The parent's pass ends before its child's next one begins. */
static void note_and_fork(sel_selector *sel, void *data)
{
    note(sel, data);
    if (child != -1)
        return;
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        alarm(30);
}

/* What the pass ran is noted; then the child follows. */
static void assert_pass_is_the_parents(sel_selector *sel, int called, const char *in_parent,
                                       const char *in_child)
{
    if (child > 0) {
        ck_assert_int_eq(called, (int)strlen(in_parent));
        assert_noted(in_parent);
        return;
    }
    assert_error(called, ECHILD);
    assert_noted(in_child);
    assert_error(sel_dispatch(sel), ECHILD);
    assert_noted("");
    assert_ok(sel_after_fork(sel));
}

static int begin_pass(sel_selector *sel)
{
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    return sel_dispatch(sel);
}

/* Each process runs what is left for it. */
static void end_both(sel_selector *sel, const char *in_parent, const char *in_child)
{
    assert_ok(sel_run(sel));
    assert_noted(child == 0 ? in_child : in_parent);
    ck_assert_int_eq(sel_is_alive(sel), 0);
    assert_ok(sel_close(sel));
    if (child == 0)
        _exit(0);
    assert_child_succeeds(child);
}

static void make_fork(sel_selector *sel, void *data)
{
    assert_ok(sel_call_at(sel, 0.001, note, "n", NULL));
    note_and_fork(sel, data);
}

/* Those the pass made for the same time used to run before them. */
START_TEST(timers_that_did_not_run_stay_before_those_made_since)
{
    sel_selector *sel = open_selector(_i);
    int called;

    child = -1;
    assert_ok(sel_call_at(sel, 0.001, make_fork, "a", NULL));
    assert_ok(sel_call_at(sel, 0.001, note, "b", NULL));
    assert_ok(sel_call_at(sel, 0.001, note, "c", NULL));
    called = begin_pass(sel);
    assert_pass_is_the_parents(sel, called, "abc", "a");
    end_both(sel, "n", "bcn");
}
END_TEST

START_TEST(timers_of_the_pass_of_a_task_that_forks_run_once_in_each_process)
{
    sel_selector *sel = open_selector(_i);
    int called;

    child = -1;
    assert_ok(sel_call_later(sel, 0.001, note, "u", NULL));
    assert_ok(sel_call_at(sel, 0.001, note, "s", NULL));
    assert_ok(sel_call_at(sel, 0.002, note, "t", NULL));
    assert_ok(sel_call_soon(sel, make_fork, "a"));
    work_for(2000000);
    called = begin_pass(sel);
    assert_pass_is_the_parents(sel, called, "astu", "a");
    end_both(sel, "n", "sntu");
}
END_TEST

typedef struct {
    sel_timer cancelled, moved, repeating;
    int ticks;
} others;

static void change_others_and_fork(sel_selector *sel, void *data)
{
    others *all = data;

    assert_ok(sel_cancel(sel, all->cancelled));
    assert_ok(sel_reschedule(sel, all->moved, 0.002));
    note_and_fork(sel, "a");
}

static void tick(sel_selector *sel, void *data)
{
    others *all = data;

    note(sel, "e");
    if (++all->ticks == 3)
        assert_ok(sel_cancel(sel, all->repeating));
}

START_TEST(what_was_cancelled_or_rescheduled_before_the_fork_is_in_both)
{
    sel_selector *sel = open_selector(_i);
    others all = {.ticks = 0};
    int called;

    child = -1;
    assert_ok(sel_call_at(sel, 0.001, change_others_and_fork, &all, NULL));
    assert_ok(sel_call_at(sel, 0.001, never, NULL, &all.cancelled));
    assert_ok(sel_call_at(sel, 0.001, note, "m", &all.moved));
    assert_ok(sel_call_every(sel, 3600, tick, &all, &all.repeating));
    assert_ok(sel_reschedule(sel, all.repeating, 0));
    called = begin_pass(sel);
    assert_pass_is_the_parents(sel, called, "ae", "a");
    assert_ok(sel_call_later(sel, 0.003, stop, NULL, NULL));
    assert_ok(sel_run(sel));
    assert_noted(child == 0 ? "em" : "m");
    ck_assert_int_eq(all.ticks, 1);
    assert_ok(sel_reschedule(sel, all.repeating, 0));
    ck_assert_int_eq(pass(sel), 1);
    assert_ok(sel_reschedule(sel, all.repeating, 0));
    end_both(sel, "ee", "ee");
}
END_TEST

static void queue_more_and_fork(sel_selector *sel, void *data)
{
    assert_ok(sel_call_soon_threadsafe(sel, note, "e"));
    assert_ok(sel_call_soon(sel, note, "f"));
    note_and_fork(sel, data);
    assert_ok(child == 0 ? 0 : sel_call_soon(sel, note, "g"));
}

/* Queued here and posted, before the pass and inside it. */
START_TEST(tasks_that_did_not_run_stay_before_those_queued_since)
{
    for (int posted = 0; posted < 2; posted++) {
        sel_selector *sel = open_selector(_i);
        int called;

        child = -1;
        if (posted)
            assert_ok(sel_call_soon_threadsafe(sel, queue_more_and_fork, "a"));
        else
            assert_ok(sel_call_soon(sel, queue_more_and_fork, "a"));
        assert_ok(sel_call_soon(sel, note, "b"));
        assert_ok(sel_call_soon_threadsafe(sel, note, "c"));
        assert_ok(sel_call_soon(sel, note, "d"));
        called = begin_pass(sel);
        assert_pass_is_the_parents(sel, called, "abcd", "a");
        end_both(sel, "efg", "bcdef");
    }
}
END_TEST

/* In the child's own child, what was put back is put back again. */
START_TEST(a_grandchild_has_what_is_left_in_its_order)
{
    sel_selector *sel = open_selector(_i);
    pid_t first;
    int called;

    child = -1;
    assert_ok(sel_call_at(sel, 0.001, make_fork, "a", NULL));
    assert_ok(sel_call_at(sel, 0.001, make_fork, "b", NULL));
    assert_ok(sel_call_at(sel, 0.001, note, "c", NULL));
    called = begin_pass(sel);
    assert_pass_is_the_parents(sel, called, "abc", "a");
    first = child;
    if (first == 0) {
        child = -1;
        called = begin_pass(sel);
        assert_pass_is_the_parents(sel, called, "bcn", "b");
        end_both(sel, "n", "cnn");
        _exit(0); /* the child; its own has ended */
    }
    end_both(sel, "nn", "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fork_order");
    TCase *tcase = new_tcase("the order after a fork inside a callback");

    add_backend_test(tcase, timers_that_did_not_run_stay_before_those_made_since);
    add_backend_test(tcase,
                     timers_of_the_pass_of_a_task_that_forks_run_once_in_each_process);
    add_backend_test(tcase, what_was_cancelled_or_rescheduled_before_the_fork_is_in_both);
    add_backend_test(tcase, tasks_that_did_not_run_stay_before_those_queued_since);
    add_backend_test(tcase, a_grandchild_has_what_is_left_in_its_order);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
