/* SPDX-License-Identifier: MIT */
/*
 * A selector inside a libuv program: uv_run() dispatches it beside the loop's own
 * handles, and goes on exactly as long as one of the two has something to do.
 */
#include "journal.h"

#include <errno.h>
#include <selkie/uv.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, FIRST_WITHOUT_FILENO = 2 };

static const int64_t millisecond = 1000000, second = 1000000000;

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

static void take_and_unregister(sel_selector *sel, const sel_key *key, int mask)
{
    note_ready(sel, key, mask);
    take_byte(key->fd);
    assert_ok(sel_unregister(sel, key->fd));
}

/* --- who keeps uv_run() going --- */

START_TEST(an_idle_selector_does_not_keep_the_loop_going)
{
    uv_loop_t loop;
    sel_selector *sel;
    int fd = make_eventfd(1);

    open_attached(_i, &loop, &sel);
    run_loop(&loop);
    assert_ok(sel_register(sel, fd, READ, note_ready, "never"));
    assert_ok(sel_modify(sel, fd, 0, note_ready, "never"));
    run_loop(&loop);
    assert_ok(sel_modify(sel, fd, READ, NULL, NULL));
    run_loop(&loop);
    assert_noted("");
    close_both(&loop, sel);
    close(fd);
}
END_TEST

START_TEST(keys_tasks_timers_and_jobs_keep_the_loop_going_until_they_are_done)
{
    uv_loop_t loop;
    sel_selector *sel;
    int ends[2];

    make_pipe(ends);
    open_attached(_i, &loop, &sel);
    assert_ok(sel_register(sel, ends[0], READ, take_and_unregister, "k"));
    put_byte(ends[1]);
    run_loop(&loop);
    assert_ok(sel_call_soon(sel, note, "a"));
    run_loop(&loop);
    assert_ok(sel_call_later(sel, 0.02, note, "t", NULL));
    run_loop(&loop);
    assert_ok(sel_run_in_executor(sel, no_work, note_done, "j"));
    run_loop(&loop);
    assert_noted("katj");
    close_both(&loop, sel);
    close_pair(ends);
}
END_TEST

static void take_handler_out(sel_selector *sel, void *data)
{
    note(sel, data);
    assert_ok(sel_remove_signal_handler(sel, SIGUSR1));
}

static void raise_in_loop(uv_timer_t *timer)
{
    (void)timer;
    raise(SIGUSR1);
}

START_TEST(a_signal_handler_keeps_the_loop_going_until_it_is_removed)
{
    uv_loop_t loop;
    uv_timer_t timer;
    sel_selector *sel;

    open_attached(_i, &loop, &sel);
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, take_handler_out, "s"));
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, raise_in_loop, 5, 0);
    run_loop(&loop);
    assert_noted("s");
    uv_close((uv_handle_t *)&timer, NULL);
    close_both(&loop, sel);
}
END_TEST

/* What a callback of the loop gives to a selector that has nothing to do. */
enum { A_KEY, A_PAUSED_KEY, A_TASK, A_TIMER, A_SIGNAL, A_JOB, GIFTS };

typedef struct {
    sel_selector *sel;
    int gift;
    int ends[2];
} giver;

static void give(uv_timer_t *timer)
{
    giver *one = timer->data;
    sel_selector *sel = one->sel;

    if (one->gift == A_KEY)
        assert_ok(sel_register(sel, one->ends[0], READ, take_and_unregister, "gift"));
    if (one->gift == A_PAUSED_KEY)
        assert_ok(sel_modify(sel, one->ends[0], READ, take_and_unregister, "gift"));
    if (one->gift == A_TASK)
        assert_ok(sel_call_soon(sel, note, "gift"));
    if (one->gift == A_TIMER)
        assert_ok(sel_call_later(sel, 0.01, note, "gift", NULL));
    if (one->gift == A_JOB)
        assert_ok(sel_run_in_executor(sel, no_work, note_done, "gift"));
    if (one->gift != A_SIGNAL)
        return;
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, take_handler_out, "gift"));
    raise(SIGUSR1);
}

START_TEST(the_loop_goes_on_for_what_its_last_callback_gives_an_idle_selector)
{
    for (int gift = 0; gift < GIFTS; gift++) {
        giver one = {.gift = gift};
        uv_loop_t loop;
        uv_timer_t timer;

        make_pipe(one.ends);
        put_byte(one.ends[1]);
        open_attached(_i, &loop, &one.sel);
        if (gift == A_PAUSED_KEY) {
            assert_ok(sel_register(one.sel, one.ends[0], READ, note_ready, "never"));
            assert_ok(sel_modify(one.sel, one.ends[0], 0, note_ready, "never"));
        }
        uv_timer_init(&loop, &timer);
        timer.data = &one;
        uv_timer_start(&timer, give, 5, 0);
        run_loop(&loop);
        assert_noted("gift");
        uv_timer_start(&timer, give, 0, 0); /* a second time, after a run */
        if (gift == A_KEY || gift == A_PAUSED_KEY)
            put_byte(one.ends[1]);
        if (gift == A_PAUSED_KEY)
            one.gift = A_KEY;
        run_loop(&loop);
        assert_noted("gift");
        uv_close((uv_handle_t *)&timer, NULL);
        close_both(&loop, one.sel);
        close_pair(one.ends);
    }
}
END_TEST

/* --- side by side --- */

static void unregister_only_key(uv_timer_t *timer)
{
    sel_selector *sel = timer->data;
    sel_key key;

    ck_assert_int_eq(sel_get_map(sel, &key, 1), 1);
    assert_ok(sel_unregister(sel, key.fd));
}

/* A key that is always ready, a timer that arms itself again, and one of the loop's. */
typedef struct {
    sel_selector *sel;
    call_record record;
    int runs, ticks;
    bool is_over;
} contest;

static void arm_again(sel_selector *sel, void *data)
{
    contest *all = data;

    all->runs++;
    if (!all->is_over)
        assert_ok(sel_call_later(sel, 0, arm_again, all, NULL));
}

static void end_when_all_ran(uv_timer_t *timer)
{
    contest *all = timer->data;

    all->ticks++;
    if (all->ticks < 5 || all->runs < 10 || all->record.calls < 10)
        return;
    all->is_over = true;
    uv_timer_stop(timer);
    timer->data = all->sel;
    unregister_only_key(timer);
}

START_TEST(neither_the_loop_nor_the_selector_starves_the_other)
{
    uv_loop_t loop;
    uv_timer_t timer;
    contest all = {.ticks = 0};
    int fd = make_eventfd(1);

    open_attached(_i, &loop, &all.sel);
    assert_ok(sel_register(all.sel, fd, READ, record_call, &all.record));
    assert_ok(sel_call_later(all.sel, 0, arm_again, &all, NULL));
    uv_timer_init(&loop, &timer);
    timer.data = &all;
    uv_timer_start(&timer, end_when_all_ran, 2, 2);
    run_loop(&loop);
    ck_assert(all.is_over);
    uv_close((uv_handle_t *)&timer, NULL);
    close_both(&loop, all.sel);
    close(fd);
}
END_TEST

START_TEST(an_attached_selector_sleeps_while_nothing_is_ready)
{
    uv_loop_t loop;
    uv_timer_t timer;
    sel_selector *sel;
    int ends[2];
    int64_t start, cpu;

    make_pipe(ends);
    open_attached(_i, &loop, &sel);
    assert_ok(sel_register(sel, ends[0], READ, note_ready, "never"));
    uv_timer_init(&loop, &timer);
    timer.data = sel;
    uv_timer_start(&timer, unregister_only_key, 100, 0);
    start = now_ns();
    cpu = cpu_ns();
    run_loop(&loop);
    ck_assert(is_instrumented() || cpu_ns() - cpu < (now_ns() - start) / 2);
    uv_close((uv_handle_t *)&timer, NULL);
    close_both(&loop, sel);
    close_pair(ends);
}
END_TEST

typedef struct {
    int64_t due_ms;
    int *left;
} appointment;

static void assert_not_early(sel_selector *sel, void *data)
{
    const appointment *kept = data;

    (void)sel;
    ck_assert_int_ge(now_ns() / millisecond, kept->due_ms);
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

        made[i] = (appointment){ms_after(now_ns() + delay_us * 1000), &left};
        assert_ok(sel_call_later(sel, delay_us / 1e6, assert_not_early, &made[i], NULL));
    }
    run_loop(&loop);
    ck_assert_int_eq(left, 0);
    ck_assert_int_lt(now_ns() - start, 20 * second);
    close_both(&loop, sel);
}
END_TEST

/* A task from another thread comes while the loop sleeps. */
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

/* Only uv and epoll can be watched by another loop. */
#define add_attach_test(tcase, test)                                            \
    tcase_add_loop_test(tcase, test, first_backend(), FIRST_WITHOUT_FILENO)

int main(void)
{
    Suite *suite = suite_create("attach");
    TCase *tcase = new_tcase("attached");

    add_attach_test(tcase, an_idle_selector_does_not_keep_the_loop_going);
    add_attach_test(tcase,
                    keys_tasks_timers_and_jobs_keep_the_loop_going_until_they_are_done);
    add_attach_test(tcase, a_signal_handler_keeps_the_loop_going_until_it_is_removed);
    add_attach_test(tcase,
                    the_loop_goes_on_for_what_its_last_callback_gives_an_idle_selector);
    add_attach_test(tcase, neither_the_loop_nor_the_selector_starves_the_other);
    add_attach_test(tcase, an_attached_selector_sleeps_while_nothing_is_ready);
    add_attach_test(tcase, timers_of_an_attached_selector_are_on_time);
    add_attach_test(tcase, a_task_from_another_thread_wakes_the_loop);
    add_attach_test(tcase, while_attached_the_loop_alone_waits_and_dispatches);
    tcase_add_loop_test(tcase, a_backend_without_fileno_cannot_be_attached,
                        FIRST_WITHOUT_FILENO, BACKENDS);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
