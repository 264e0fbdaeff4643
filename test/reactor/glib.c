/* SPDX-License-Identifier: MIT */
/*
 * A selector nested in another loop by sel_fileno() and sel_get_timeout(): here
 * GLib's, whose sources prepare a sleep, check after it and dispatch.
 */
#include "support/journal.h"

#include <glib.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ };

static const int64_t millisecond = 1000000;

typedef struct {
    GSource source;
    sel_selector *sel;
    int preparations;
    int dispatches;
} nested;

/* Is there something to dispatch?  Also makes fileno and get_timeout valid. */
static gboolean look_into(nested *inner)
{
    int count = sel_select(inner->sel, 0, NULL);

    ck_assert_int_ge(count, 0);
    return count > 0 || sel_get_timeout(inner->sel) == 0;
}

static gboolean prepare(GSource *source, gint *ret_timeout)
{
    nested *inner = (nested *)source;
    double seconds;

    inner->preparations++;
    *ret_timeout = 0;
    if (look_into(inner))
        return TRUE;
    seconds = sel_get_timeout(inner->sel);
    *ret_timeout = seconds < 1e6 ? (gint)ceil(seconds * 1e3) : -1;
    return FALSE;
}

static gboolean check_source(GSource *source)
{
    return look_into((nested *)source);
}

static gboolean dispatch(GSource *source, GSourceFunc unused, gpointer none)
{
    nested *inner = (nested *)source;

    (void)unused;
    (void)none;
    inner->dispatches++;
    ck_assert_int_ge(sel_dispatch(inner->sel), 0);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs functions = {.prepare = prepare, .check = check_source,
                                 .dispatch = dispatch};

typedef struct {
    GMainContext *context;
    GMainLoop *loop;
    nested *inner;
    sel_selector *sel;
} host;

static host open_host(int backend)
{
    host outer = {.context = g_main_context_new(), .sel = open_selector(backend)};

    outer.loop = g_main_loop_new(outer.context, FALSE);
    outer.inner = (nested *)g_source_new(&functions, sizeof *outer.inner);
    outer.inner->sel = outer.sel;
    g_source_add_unix_fd(&outer.inner->source, sel_fileno(outer.sel), G_IO_IN);
    g_source_attach(&outer.inner->source, outer.context);
    return outer;
}

static void close_host(host *outer)
{
    g_source_destroy(&outer->inner->source);
    g_source_unref(&outer->inner->source);
    g_main_loop_unref(outer->loop);
    g_main_context_unref(outer->context);
    assert_ok(sel_close(outer->sel));
}

static void quit(sel_selector *sel, void *loop)
{
    (void)sel;
    g_main_loop_quit(loop);
}

static gboolean quit_by_glib(gpointer loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

/* End the loop with a source of its own, after that many milliseconds. */
static void quit_after(host *outer, guint delay)
{
    GSource *timeout = g_timeout_source_new(delay);

    g_source_set_callback(timeout, quit_by_glib, outer->loop, NULL);
    g_source_attach(timeout, outer->context);
    g_source_unref(timeout);
}

static void echo_byte(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    ck_assert_int_eq(mask, READ);
    take_byte(key->fd);
    put_byte(key->fd);
}

enum { ROUNDS = 50 };

typedef struct {
    int rounds;
    GMainLoop *loop;
} player;

static void serve_again(sel_selector *sel, const sel_key *key, int mask)
{
    player *one = key->data;

    if (++one->rounds < ROUNDS)
        echo_byte(sel, key, mask);
    else
        g_main_loop_quit(one->loop);
}

START_TEST(ready_descriptors_are_dispatched)
{
    host outer = open_host(_i);
    player one = {.loop = outer.loop};
    int ends[2];

    make_socketpair(ends);
    assert_ok(sel_register(outer.sel, ends[0], READ, echo_byte, NULL));
    assert_ok(sel_register(outer.sel, ends[1], READ, serve_again, &one));
    put_byte(ends[0]);
    g_main_loop_run(outer.loop);
    ck_assert_int_eq(one.rounds, ROUNDS);
    close_host(&outer);
    close_pair(ends);
}
END_TEST

typedef struct {
    int64_t due;
    int *left;
} appointment;

static void assert_not_early(sel_selector *sel, void *data)
{
    const appointment *kept = data;

    (void)sel;
    ck_assert_int_ge(now_ns(), kept->due);
    --*kept->left;
}

START_TEST(timers_run_and_none_is_early)
{
    enum { TIMERS = 40 };
    host outer = open_host(_i);
    appointment made[TIMERS];
    int left = TIMERS;

    for (int i = 0; i < TIMERS; i++) {
        int delay_us = i * 7919 % 20000;

        made[i] = (appointment){now_ns() + delay_us * 1000, &left};
        assert_ok(sel_call_later(outer.sel, delay_us / 1e6, assert_not_early, &made[i],
                                 NULL));
    }
    assert_ok(sel_call_later(outer.sel, 0.03, quit, outer.loop, NULL));
    g_main_loop_run(outer.loop);
    ck_assert_int_eq(left, 0);
    close_host(&outer);
}
END_TEST

typedef struct {
    sel_selector *sel;
    GMainLoop *loop;
    pid_t sleeper;
} caller;

static void *call_the_sleeper(void *data)
{
    caller *one = data;

    wait_until_asleep(one->sleeper);
    ck_assert_int_eq(sel_call_soon_threadsafe(one->sel, note, "a"), 0);
    ck_assert_int_eq(sel_call_soon_threadsafe(one->sel, quit, one->loop), 0);
    return NULL;
}

START_TEST(tasks_of_another_thread_arrive_while_the_outer_loop_sleeps)
{
    host outer = open_host(_i);
    caller one = {.sel = outer.sel, .loop = outer.loop, .sleeper = this_thread()};

    for (int round = 0; round < 10; round++) {
        pthread_t thread;

        start_thread(&thread, call_the_sleeper, &one);
        g_main_loop_run(outer.loop);
        join_thread(thread);
        assert_noted("a");
    }
    close_host(&outer);
}
END_TEST

static void quit_when_done(sel_selector *sel, void *loop, int status)
{
    assert_ok(status);
    quit(sel, loop);
}

START_TEST(tasks_signals_and_results_arrive)
{
    host outer = open_host(_i);

    assert_ok(sel_call_soon(outer.sel, quit, outer.loop));
    g_main_loop_run(outer.loop);
    assert_ok(sel_call_soon_threadsafe(outer.sel, quit, outer.loop));
    g_main_loop_run(outer.loop);
    assert_ok(sel_run_in_executor(outer.sel, no_work, quit_when_done, outer.loop));
    g_main_loop_run(outer.loop);
    assert_ok(sel_add_signal_handler(outer.sel, SIGUSR1, quit, outer.loop));
    raise(SIGUSR1);
    g_main_loop_run(outer.loop);
    close_host(&outer);
}
END_TEST

/* The outer loop switches the key on and off between its sleeps. */
START_TEST(changes_made_outside_are_seen_before_the_next_sleep)
{
    host outer = open_host(_i);
    player one = {.loop = outer.loop, .rounds = ROUNDS};
    int ends[2];

    make_pipe(ends);
    put_byte(ends[1]);
    for (int round = 0; round < 5; round++) {
        assert_ok(sel_register(outer.sel, ends[0], READ, serve_again, &one));
        g_main_loop_run(outer.loop);
        assert_ok(sel_modify(outer.sel, ends[0], 0, note_ready, "never"));
        quit_after(&outer, 5);
        g_main_loop_run(outer.loop);
        assert_ok(sel_modify(outer.sel, ends[0], READ, serve_again, &one));
        g_main_loop_run(outer.loop);
        assert_ok(sel_unregister(outer.sel, ends[0]));
    }
    assert_noted("");
    close_host(&outer);
    close_pair(ends);
}
END_TEST

/* Descriptors that stay silent and a distant timer: nothing to wake up for. */
START_TEST(the_outer_loop_sleeps_while_the_selector_has_nothing_to_do)
{
    host outer = open_host(_i);
    int silent = make_eventfd(0);
    int64_t start;

    assert_ok(sel_register(outer.sel, silent, READ, note_ready, "never"));
    assert_ok(sel_call_later(outer.sel, 3600, never, NULL, NULL));
    quit_after(&outer, 100);
    start = now_ns();
    g_main_loop_run(outer.loop);
    ck_assert_int_ge(now_ns() - start, 99 * millisecond); /* by GLib's clock */
    ck_assert_int_eq(outer.inner->dispatches, 0);
    ck_assert_int_lt(outer.inner->preparations, 20); /* and it does not spin */
    close_host(&outer);
    close(silent);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("glib");
    TCase *tcase = new_tcase("inside GLib's loop");

    add_fileno_test(tcase, ready_descriptors_are_dispatched);
    add_fileno_test(tcase, timers_run_and_none_is_early);
    add_fileno_test(tcase, tasks_of_another_thread_arrive_while_the_outer_loop_sleeps);
    add_fileno_test(tcase, tasks_signals_and_results_arrive);
    add_fileno_test(tcase, changes_made_outside_are_seen_before_the_next_sleep);
    add_fileno_test(tcase, the_outer_loop_sleeps_while_the_selector_has_nothing_to_do);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
