/* SPDX-License-Identifier: MIT */
/*
 * sel_get_stats(): what is counted from the beginning, what is timed from the
 * first question on, and a struct that is larger or smaller than the library's.
 */
#include "support/journal.h"

#include <errno.h>
#include <selkie/debug.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ };

static const int64_t millisecond = 1000000;

static sel_stats ask(sel_selector *sel)
{
    sel_stats stats;

    assert_ok(sel_get_stats(sel, &stats, sizeof stats));
    return stats;
}

START_TEST(passes_pairs_and_callbacks_are_counted_from_the_beginning)
{
    sel_selector *sel = open_selector(_i);
    int fds[3] = {make_eventfd(1), make_eventfd(1), make_eventfd(0)};
    sel_stats stats;

    for (int i = 0; i < 3; i++)
        assert_ok(sel_register(sel, fds[i], READ, i ? note_ready : NULL, "k"));
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(pass(sel), 1); /* the other has no callback */
    assert_ok(sel_call_soon(sel, note, "a"));
    assert_ok(sel_call_later(sel, 0, note, "t", NULL));
    ck_assert_int_eq(pass(sel), 3);
    assert_noted("kkkkkakt");
    for (int i = 0; i < 2; i++) { /* asking changes nothing */
        stats = ask(sel);
        ck_assert_uint_eq(stats.passes, 6);
        ck_assert_uint_eq(stats.pairs, 12);
        ck_assert_uint_eq(stats.callbacks, 8);
    }
    ck_assert_int_eq(pass(sel), 1);
    stats = ask(sel);
    ck_assert_uint_eq(stats.passes, 7);
    ck_assert_uint_eq(stats.pairs, 14);
    ck_assert_uint_eq(stats.callbacks, 9);
    assert_ok(sel_close(sel));
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}
END_TEST

START_TEST(a_new_selector_has_done_nothing)
{
    sel_selector *sel = open_selector(_i);
    sel_stats stats = ask(sel);

    ck_assert_uint_eq(stats.passes, 0);
    ck_assert_uint_eq(stats.pairs, 0);
    ck_assert_uint_eq(stats.callbacks, 0);
    ck_assert_double_eq(stats.longest_callback, 0);
    ck_assert_double_eq(stats.time_waiting, 0);
    ck_assert_double_eq(stats.time_in_callbacks, 0);
    assert_ok(sel_close(sel));
}
END_TEST

static void work_as_long(sel_selector *sel, void *data)
{
    (void)sel;
    work_for(*(int *)data * millisecond);
}

static void run_for(sel_selector *sel, int milliseconds)
{
    assert_ok(sel_call_soon(sel, work_as_long, &milliseconds));
    ck_assert_int_eq(pass(sel), 1);
}

START_TEST(times_are_counted_from_the_first_question_on)
{
    sel_selector *sel = open_selector(_i);
    int64_t start;
    double elapsed;
    sel_stats stats;

    run_for(sel, 5);
    stats = ask(sel);
    ck_assert_double_eq(stats.time_in_callbacks, 0);
    start = now_ns();
    run_for(sel, 3);
    run_for(sel, 8);
    run_for(sel, 2);
    stats = ask(sel);
    elapsed = (double)(now_ns() - start) / 1e9;
    ck_assert_double_ge(stats.longest_callback, 0.008);
    ck_assert_double_ge(stats.time_in_callbacks, 0.013);
    ck_assert_double_le(stats.time_in_callbacks, elapsed);
    ck_assert_double_le(stats.longest_callback, stats.time_in_callbacks);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(waiting_is_no_time_in_callbacks)
{
    sel_selector *sel = open_selector(_i);
    int64_t start;
    sel_stats stats;

    ask(sel);
    start = now_ns();
    assert_quiet(sel, 0.02);
    stats = ask(sel);
    ck_assert_double_ge(stats.time_waiting, 0.02);
    ck_assert_double_le(stats.time_waiting, (double)(now_ns() - start) / 1e9);
    ck_assert_double_eq(stats.time_in_callbacks, 0);
    ck_assert_uint_eq(stats.passes, 1);
    assert_ok(sel_close(sel));
}
END_TEST

/* A program that was compiled when the struct had another size. */
START_TEST(the_struct_may_be_smaller_or_larger_than_the_librarys)
{
    struct {
        sel_stats stats;
        unsigned char more[64];
    } large;
    sel_selector *sel = open_selector(_i);
    size_t small = offsetof(sel_stats, callbacks);

    for (int i = 0; i < 3; i++)
        pass(sel);
    memset(&large, 0xaa, sizeof large);
    assert_ok(sel_get_stats(sel, &large.stats, small));
    ck_assert_uint_eq(large.stats.passes, 3);
    for (size_t i = small; i < sizeof large; i++)
        ck_assert_int_eq(((unsigned char *)&large)[i], 0xaa);
    memset(&large, 0xaa, sizeof large);
    assert_ok(sel_get_stats(sel, &large.stats, sizeof large));
    ck_assert_uint_eq(large.stats.passes, 3);
    ck_assert_uint_eq(large.stats.callbacks, 0);
    for (size_t i = 0; i < sizeof large.more; i++)
        ck_assert_int_eq(large.more[i], 0);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(bad_arguments_leave_the_struct_alone)
{
    sel_selector *sel = open_selector(_i);
    sel_stats stats = {.passes = 77};
    pid_t pid;

    assert_error(sel_get_stats(NULL, &stats, sizeof stats), EINVAL);
    assert_error(sel_get_stats(sel, NULL, sizeof stats), EINVAL);
    assert_error(sel_get_stats(sel, &stats, 0), EINVAL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        assert_error(sel_get_stats(sel, &stats, sizeof stats), ECHILD);
        assert_ok(sel_close(sel));
        _exit(stats.passes == 77 ? 0 : 1);
    }
    assert_child_succeeds(pid);
    ck_assert_uint_eq(stats.passes, 77);
    assert_ok(sel_close(sel));
}
END_TEST

static void ask_inside(sel_selector *sel, void *data)
{
    *(sel_stats *)data = ask(sel);
}

START_TEST(a_callback_may_ask)
{
    sel_selector *sel = open_selector(_i);

    for (int origin = 0; origin < ORIGINS; origin++) {
        sel_stats stats = {.passes = 0};

        call_from(sel, origin, ask_inside, &stats);
        ck_assert_uint_ge(stats.passes, (uint64_t)origin + 1);
    }
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats");
    TCase *tcase = new_tcase("statistics");

    add_backend_test(tcase, passes_pairs_and_callbacks_are_counted_from_the_beginning);
    add_backend_test(tcase, a_new_selector_has_done_nothing);
    add_backend_test(tcase, times_are_counted_from_the_first_question_on);
    add_backend_test(tcase, waiting_is_no_time_in_callbacks);
    add_backend_test(tcase, the_struct_may_be_smaller_or_larger_than_the_librarys);
    add_backend_test(tcase, bad_arguments_leave_the_struct_alone);
    add_backend_test(tcase, a_callback_may_ask);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
