/* SPDX-License-Identifier: MIT */
/*
 * Which promises an attached selector keeps, and what it refuses.
 */
#include "support/journal.h"

#include <errno.h>
#include <selkie/uv.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ };

static const int64_t second = 1000000000;

static void open_attached(int backend, uv_loop_t *loop, sel_selector **ret_sel)
{
    assert_ok(uv_loop_init(loop));
    *ret_sel = open_selector(backend);
    assert_ok(sel_attach_loop(*ret_sel, loop));
}

static void run_loop(uv_loop_t *loop)
{
    ck_assert_int_eq(uv_run(loop, UV_RUN_DEFAULT), 0);
}

static void close_both(uv_loop_t *loop, sel_selector *sel)
{
    assert_ok(sel_close(sel));
    run_loop(loop);
    assert_ok(uv_loop_close(loop));
}

typedef struct {
    int64_t due; /* or later */
    int *left;
} appointment;

static void assert_not_early(sel_selector *sel, void *data)
{
    const appointment *kept = data;

    (void)sel;
    ck_assert_int_ge(now_ns(), kept->due);
    --*kept->left;
}

START_TEST(timers_of_an_attached_selector_are_on_time)
{
    enum { TIMERS = 100 };
    uv_loop_t loop;
    sel_selector *sel;
    appointment made[TIMERS];
    int left = TIMERS;
    int64_t start = now_ns();

    open_attached(_i, &loop, &sel);
    for (int i = 0; i < TIMERS; i++) {
        int delay_us = (i + 1) * 7919 % 30000;

        made[i] = (appointment){now_ns() + delay_us * 1000, &left};
        assert_ok(sel_call_later(sel, delay_us / 1e6, assert_not_early, &made[i], NULL));
    }
    run_loop(&loop);
    ck_assert_int_eq(left, 0);
    ck_assert_int_lt(now_ns() - start, 20 * second);
    close_both(&loop, sel);
}
END_TEST

typedef struct {
    uv_prepare_t prepare;
    sel_selector *sel;
    sel_timer timer;
} last_moment;

static void make_due(uv_prepare_t *prepare)
{
    last_moment *moment = prepare->data;

    uv_prepare_stop(prepare);
    assert_ok(sel_reschedule(moment->sel, moment->timer, 0));
}

/* A prepare handle that is older than the selector's runs after it, before the sleep. */
START_TEST(a_timer_that_is_rescheduled_just_before_the_loop_sleeps_is_on_time)
{
    uv_loop_t loop;
    last_moment moment = {.prepare.data = &moment};
    int64_t start = now_ns();

    assert_ok(uv_loop_init(&loop));
    assert_ok(uv_prepare_init(&loop, &moment.prepare));
    assert_ok(uv_prepare_start(&moment.prepare, make_due));
    moment.sel = open_selector(_i);
    assert_ok(sel_attach_loop(moment.sel, &loop));
    assert_ok(sel_call_later(moment.sel, 3600, note, "t", &moment.timer));
    run_loop(&loop);
    assert_noted("t");
    ck_assert_int_lt(now_ns() - start, 20 * second);
    uv_close((uv_handle_t *)&moment.prepare, NULL);
    close_both(&loop, moment.sel);
}
END_TEST

/* A task from another thread arrives while the loop sleeps. */
typedef struct {
    sel_selector *sel;
    pid_t sleeper;
    int fd;
} caller;

static void unregister_key(sel_selector *sel, void *data)
{
    note(sel, "task");
    assert_ok(sel_unregister(sel, *(int *)data));
}

static void *call_the_sleeper(void *data)
{
    caller *one = data;

    wait_until_asleep(one->sleeper);
    ck_assert_int_eq(sel_call_soon_threadsafe(one->sel, unregister_key, &one->fd), 0);
    return NULL;
}

START_TEST(a_task_from_another_thread_wakes_the_loop)
{
    uv_loop_t loop;
    caller one = {.sleeper = this_thread(), .fd = make_eventfd(0)};

    open_attached(_i, &loop, &one.sel);
    for (int round = 0; round < 10; round++) {
        pthread_t thread;

        assert_ok(sel_register(one.sel, one.fd, READ, note_ready, "never"));
        start_thread(&thread, call_the_sleeper, &one);
        run_loop(&loop);
        join_thread(thread);
        assert_noted("task");
    }
    close_both(&loop, one.sel);
    close(one.fd);
}
END_TEST

/* --- what is refused --- */

static void assert_attach_is_busy(sel_selector *sel, void *loop)
{
    assert_error(sel_attach_loop(sel, loop), EBUSY);
    assert_error(sel_close(sel), EBUSY);
    note(sel, "busy");
}

START_TEST(while_attached_the_loop_alone_waits_and_dispatches)
{
    uv_loop_t loop;
    sel_selector *sel;

    assert_ok(uv_loop_init(&loop));
    sel = open_selector(_i);
    assert_error(sel_attach_loop(NULL, &loop), EINVAL);
    assert_error(sel_attach_loop(sel, NULL), EINVAL);
    assert_ok(sel_call_soon(sel, assert_attach_is_busy, &loop));
    assert_ok(sel_run(sel));
    assert_ok(sel_attach_loop(sel, &loop));
    assert_error(sel_attach_loop(sel, &loop), EBUSY);
    assert_error(sel_select(sel, 0, NULL), EBUSY);
    assert_error(sel_dispatch(sel), EBUSY);
    assert_error(sel_run(sel), EBUSY);
    assert_ok(sel_call_soon(sel, assert_attach_is_busy, &loop));
    run_loop(&loop);
    assert_noted("busybusy");
    close_both(&loop, sel);
}
END_TEST

START_TEST(a_backend_without_fileno_cannot_be_attached)
{
    uv_loop_t loop;
    sel_selector *sel = open_selector(_i);

    assert_ok(uv_loop_init(&loop));
    assert_error(sel_attach_loop(sel, &loop), ENOTSUP);
    assert_ok(sel_call_soon(sel, note, "a"));
    assert_ok(sel_run(sel)); /* as if nothing had been tried */
    assert_noted("a");
    assert_ok(uv_loop_close(&loop));
    assert_ok(sel_close(sel));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("attach_rules");
    TCase *tcase = new_tcase("attached");

    add_fileno_test(tcase, timers_of_an_attached_selector_are_on_time);
    add_fileno_test(tcase, a_timer_that_is_rescheduled_just_before_the_loop_sleeps_is_on_time);
    add_fileno_test(tcase, a_task_from_another_thread_wakes_the_loop);
    add_fileno_test(tcase, while_attached_the_loop_alone_waits_and_dispatches);
    add_test_between(tcase, a_backend_without_fileno_cannot_be_attached, FIRST_WITHOUT_FILENO,
                     BACKENDS);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
