/* SPDX-License-Identifier: MIT */
/*
 * Prepare, check and idle handles on sel_loop(): libuv's hooks into every iteration of
 * a loop, here hooks into every pass. Libraries that must look at their own queues
 * before a wait (c-ares, Wayland, Xlib) are driven from a prepare handle.
 */
#include "support/journal.h"

#include <selkie/uv.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ };

static const int64_t millisecond = 1000000;

typedef struct {
    union {
        uv_handle_t handle;
        uv_prepare_t prepare;
        uv_check_t check;
        uv_idle_t idle;
    };
    int calls;
} hook;

static void count_prepare(uv_prepare_t *prepare)
{
    ((hook *)prepare)->calls++;
}

static void count_check(uv_check_t *check)
{
    ((hook *)check)->calls++;
}

static void count_idle(uv_idle_t *idle)
{
    ((hook *)idle)->calls++;
}

static void start_prepare(sel_selector *sel, hook *self)
{
    self->calls = 0;
    assert_ok(uv_prepare_init(sel_loop(sel), &self->prepare));
    assert_ok(uv_prepare_start(&self->prepare, count_prepare));
}

static void start_check(sel_selector *sel, hook *self)
{
    self->calls = 0;
    assert_ok(uv_check_init(sel_loop(sel), &self->check));
    assert_ok(uv_check_start(&self->check, count_check));
}

static void start_idle(sel_selector *sel, hook *self)
{
    self->calls = 0;
    assert_ok(uv_idle_init(sel_loop(sel), &self->idle));
    assert_ok(uv_idle_start(&self->idle, count_idle));
}

static void (*const starts[])(sel_selector *sel, hook *self) = {
    start_prepare, start_check, start_idle,
};

enum { HOOKS = sizeof starts / sizeof *starts };

/* Passes made by pairs, by tasks and by timers. */
START_TEST(each_runs_once_in_every_pass)
{
    for (int kind = 0; kind < HOOKS; kind++) {
        sel_selector *sel = open_selector(_i);
        int fd = make_eventfd(1);
        hook self;

        starts[kind](sel, &self);
        for (int passes = 1; passes <= 12; passes++) {
            if (passes == 4)
                assert_ok(sel_register(sel, fd, READ, note_ready, ""));
            if (passes == 7)
                assert_ok(sel_unregister(sel, fd));
            if (passes >= 7 && passes < 10)
                assert_ok(sel_call_soon(sel, note, ""));
            if (passes >= 10)
                assert_ok(sel_call_later(sel, 0.001, note, "", NULL));
            ck_assert_int_ge(sel_select(sel, passes < 4 ? 0 : SEL_FOREVER, NULL), 0);
            ck_assert_int_eq(self.calls, passes - 1); /* never inside a wait */
            ck_assert_int_ge(sel_dispatch(sel), 0);
            ck_assert_int_eq(self.calls, passes);
        }
        assert_ok(sel_close(sel));
        close(fd);
    }
}
END_TEST

static void stop_at_nine(sel_selector *sel, void *passes)
{
    if (++*(int *)passes == 9)
        sel_stop(sel);
    else
        assert_ok(sel_call_soon(sel, stop_at_nine, passes));
}

/* The first pass of a run is for the hook alone: it has not been in one yet. */
START_TEST(each_runs_in_every_pass_of_a_run)
{
    for (int kind = 0; kind < HOOKS; kind++) {
        sel_selector *sel = open_selector(_i);
        int passes = 0;
        hook self;

        starts[kind](sel, &self);
        assert_ok(sel_call_soon(sel, stop_at_nine, &passes));
        assert_ok(sel_run(sel));
        ck_assert_int_eq(passes, 9);
        ck_assert_int_eq(self.calls, 9);
        assert_ok(sel_close(sel));
    }
}
END_TEST

/* If the wait looked at them again and again, it would never sleep. */
START_TEST(a_wait_sleeps_beside_prepare_and_check_handles)
{
    sel_selector *sel = open_selector(_i);
    hook prepare, check;
    int64_t start;

    start_prepare(sel, &prepare);
    start_check(sel, &check);
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0); /* their first pass */
    ck_assert_int_ge(sel_dispatch(sel), 0);
    for (int passes = 2; passes < 5; passes++) {
        start = now_ns();
        ck_assert_int_eq(sel_select(sel, 0.02, NULL), 0);
        ck_assert_int_ge(now_ns() - start, 20 * millisecond);
        ck_assert_int_ge(sel_dispatch(sel), 0);
        ck_assert_int_eq(prepare.calls, passes);
        ck_assert_int_eq(check.calls, passes);
    }
    assert_ok(sel_close(sel));
}
END_TEST

/* What an idle handle is for: the loop goes round without waiting. */
START_TEST(beside_an_idle_handle_no_wait_sleeps)
{
    sel_selector *sel = open_selector(_i);
    hook idle;

    start_idle(sel, &idle);
    for (int passes = 1; passes < 5; passes++) {
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        ck_assert_int_ge(sel_dispatch(sel), 0);
        ck_assert_int_eq(idle.calls, passes);
    }
    assert_ok(sel_close(sel));
}
END_TEST

static void write_to_key(uv_prepare_t *prepare)
{
    uint64_t one = 1;

    ((hook *)prepare)->calls++;
    ck_assert_int_eq(write(*(int *)prepare->data, &one, sizeof one), sizeof one);
}

/* A library that finds work in its own queue: the wait that follows must know. */
START_TEST(what_a_prepare_handle_does_is_done_before_the_wait)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(0);
    hook prepare = {0};

    assert_ok(sel_register(sel, fd, READ, note_ready, "k"));
    assert_ok(uv_prepare_init(sel_loop(sel), &prepare.prepare));
    prepare.handle.data = &fd;
    assert_ok(uv_prepare_start(&prepare.prepare, write_to_key));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    ck_assert_int_ge(sel_dispatch(sel), 0);
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 1);
    ck_assert_int_eq(prepare.calls, 1);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

/* Otherwise what it prepares would wait until something else ends the sleep. */
START_TEST(one_that_is_started_between_passes_is_not_slept_over)
{
    for (int kind = 0; kind < HOOKS; kind++) {
        sel_selector *sel = open_selector(_i);
        hook self;

        ck_assert_ptr_nonnull(sel_loop(sel));
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(sel_select(sel, 0, NULL), 0);
            ck_assert_int_eq(sel_dispatch(sel), 0);
        }
        starts[kind](sel, &self);
        ck_assert_double_eq(sel_get_timeout(sel), 0);
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        ck_assert_int_ge(sel_dispatch(sel), 0);
        ck_assert_int_eq(self.calls, 1);
        assert_ok(sel_close(sel));
    }
}
END_TEST

START_TEST(one_that_is_stopped_is_asked_no_more)
{
    sel_selector *sel = open_selector(_i);
    hook prepare;

    start_prepare(sel, &prepare);
    for (int round = 1; round < 4; round++) {
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        ck_assert_int_ge(sel_dispatch(sel), 0);
        ck_assert_int_eq(prepare.calls, round);
        assert_ok(uv_prepare_stop(&prepare.prepare));
        ck_assert_int_eq(sel_select(sel, 0.001, NULL), 0);
        ck_assert_int_eq(sel_dispatch(sel), 0);
        ck_assert_int_eq(prepare.calls, round);
        assert_ok(uv_prepare_start(&prepare.prepare, count_prepare));
    }
    assert_ok(sel_close(sel));
}
END_TEST

static void stop_run(sel_selector *sel, void *unused)
{
    (void)unused;
    sel_stop(sel);
}

/* As with any handle: what is referenced is waited for. */
START_TEST(a_run_goes_on_for_a_referenced_one_alone)
{
    sel_selector *sel = open_selector(_i);
    hook prepare;

    start_prepare(sel, &prepare);
    ck_assert_int_eq(sel_is_alive(sel), 1);
    assert_ok(sel_call_later(sel, 0.01, stop_run, NULL, NULL));
    assert_ok(sel_run(sel));
    ck_assert_int_eq(sel_is_alive(sel), 1);
    uv_unref(&prepare.handle);
    ck_assert_int_eq(sel_is_alive(sel), 0);
    assert_ok(sel_run(sel));
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(they_go_on_in_a_child_that_follows)
{
    sel_selector *sel = open_selector(_i);
    hook prepare;
    pid_t pid;

    start_prepare(sel, &prepare);
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    ck_assert_int_ge(sel_dispatch(sel), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        assert_ok(sel_after_fork(sel));
        assert_ok(sel_call_soon(sel, note, ""));
        ck_assert_int_eq(wait_and_pass(sel), 1);
        ck_assert_int_eq(prepare.calls, 2);
        _exit(0);
    }
    assert_child_succeeds(pid);
    ck_assert_int_eq(prepare.calls, 1);
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hooks");
    TCase *tcase = new_tcase("prepare, check and idle handles");

    add_backend_test(tcase, each_runs_once_in_every_pass);
    add_backend_test(tcase, each_runs_in_every_pass_of_a_run);
    add_backend_test(tcase, a_wait_sleeps_beside_prepare_and_check_handles);
    add_backend_test(tcase, beside_an_idle_handle_no_wait_sleeps);
    add_backend_test(tcase, what_a_prepare_handle_does_is_done_before_the_wait);
    add_backend_test(tcase, one_that_is_started_between_passes_is_not_slept_over);
    add_backend_test(tcase, one_that_is_stopped_is_asked_no_more);
    add_backend_test(tcase, a_run_goes_on_for_a_referenced_one_alone);
    add_backend_test(tcase, they_go_on_in_a_child_that_follows);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
