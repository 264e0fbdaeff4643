/* SPDX-License-Identifier: MIT */
/*
 * A selector inside a libuv program: uv_run() dispatches it beside the loop's own
 * handles, and keeps going exactly as long as either has something to do.
 */
#include "support/journal.h"

#include <errno.h>
#include <selkie/uv.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ };

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

/* What a callback of the loop gives to an idle selector. */
enum { A_KEY, A_PAUSED_KEY, A_READER, A_TASK, A_TIMER, A_SIGNAL, A_JOB, GIFTS };

typedef struct {
    sel_selector *sel;
    int gift;
    int ends[2];
} giver;

static void take_and_remove(sel_selector *sel, void *data)
{
    giver *one = data;

    note(sel, "gift");
    take_byte(one->ends[0]);
    assert_ok(sel_remove_reader(sel, one->ends[0]));
}

static void give(uv_timer_t *timer)
{
    giver *one = timer->data;
    sel_selector *sel = one->sel;

    if (one->gift == A_KEY)
        assert_ok(sel_register(sel, one->ends[0], READ, take_and_unregister, "gift"));
    if (one->gift == A_PAUSED_KEY)
        assert_ok(sel_modify(sel, one->ends[0], READ, take_and_unregister, "gift"));
    if (one->gift == A_READER)
        assert_ok(sel_add_reader(sel, one->ends[0], take_and_remove, one));
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
        if (gift <= A_READER)
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

/* A key that is always ready, a timer that rearms itself, and one of the loop's. */
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
    effort before;

    make_pipe(ends);
    open_attached(_i, &loop, &sel);
    assert_ok(sel_register(sel, ends[0], READ, note_ready, "never"));
    uv_timer_init(&loop, &timer);
    timer.data = sel;
    uv_timer_start(&timer, unregister_only_key, 100, 0);
    before = measure_effort();
    run_loop(&loop);
    assert_no_spin(before, 1);
    uv_close((uv_handle_t *)&timer, NULL);
    close_both(&loop, sel);
    close_pair(ends);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("attach");
    TCase *tcase = new_tcase("attached");

    add_fileno_test(tcase, an_idle_selector_does_not_keep_the_loop_going);
    add_fileno_test(tcase, keys_tasks_timers_and_jobs_keep_the_loop_going_until_they_are_done);
    add_fileno_test(tcase, a_signal_handler_keeps_the_loop_going_until_it_is_removed);
    add_fileno_test(tcase, the_loop_goes_on_for_what_its_last_callback_gives_an_idle_selector);
    add_fileno_test(tcase, neither_the_loop_nor_the_selector_starves_the_other);
    add_fileno_test(tcase, an_attached_selector_sleeps_while_nothing_is_ready);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
