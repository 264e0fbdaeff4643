/* SPDX-License-Identifier: MIT */
/*
 * sel_loop(): the program's own libuv handles inside a selector, on every backend.
 */
#include "support/journal.h"

#include <errno.h>
#include <selkie/uv.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ };

static const int64_t millisecond = 1000000;

static void note_timer(uv_timer_t *timer)
{
    note(NULL, timer->data);
}

static void close_handle(void *handle)
{
    uv_close(handle, NULL);
}

/* A uv_timer_t on the selector's loop that notes its letter. */
static void start_timer(sel_selector *sel, uv_timer_t *timer, uint64_t delay,
                        char *letter)
{
    assert_ok(uv_timer_init(sel_loop(sel), timer));
    timer->data = letter;
    assert_ok(uv_timer_start(timer, note_timer, delay, 0));
}

START_TEST(the_loop_is_the_same_for_the_selectors_life)
{
    sel_selector *sel = open_selector(_i);
    uv_loop_t *loop = sel_loop(sel);
    int fd = make_eventfd(1);

    ck_assert_ptr_nonnull(loop);
    ck_assert_ptr_null(sel_loop(NULL));
    assert_ok(sel_register(sel, fd, READ, note_ready, ""));
    assert_ok(sel_call_later(sel, 0, note, "", NULL));
    assert_ok(sel_run_in_executor(sel, no_work, NULL, NULL));
    assert_ok(sel_add_signal_handler(sel, SIGUSR1, note, ""));
    ck_assert_ptr_eq(sel_loop(sel), loop);
    wait_and_pass(sel);
    ck_assert_ptr_eq(sel_loop(sel), loop);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

static void assert_inside_dispatch(uv_timer_t *timer)
{
    sel_selector *sel = timer->data;

    assert_error(sel_select(sel, 0, NULL), EBUSY);
    assert_error(sel_dispatch(sel), EBUSY);
    assert_error(sel_run(sel), EBUSY);
    assert_error(sel_close(sel), EBUSY);
    note(sel, "u");
}

START_TEST(handles_on_it_run_in_dispatch_after_the_pairs)
{
    sel_selector *sel = open_selector(_i);
    int fd = make_eventfd(1);
    uv_timer_t timer;

    assert_ok(sel_register(sel, fd, READ, note_ready, "k"));
    assert_ok(uv_timer_init(sel_loop(sel), &timer));
    timer.data = sel;
    for (int round = 0; round < 3; round++) {
        assert_ok(uv_timer_start(&timer, assert_inside_dispatch, 0, 0));
        assert_ok(sel_call_soon(sel, note, "a"));
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 1);
        assert_noted("");
        ck_assert_int_ge(sel_dispatch(sel), 2);
        assert_noted("aku");
        ck_assert_int_eq(sel_dispatch(sel), 0);
    }
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

START_TEST(an_active_handle_ends_the_wait_when_it_is_due_and_not_before)
{
    sel_selector *sel = open_selector(_i);
    uv_timer_t timer;
    int64_t start = now_ns();

    start_timer(sel, &timer, 30, "u");
    ck_assert_int_eq(sel_select(sel, 0.01, NULL), 0);
    ck_assert_int_ge(sel_dispatch(sel), 0);
    if (now_ns() - start < 29 * millisecond)
        assert_noted("");
    while (uv_is_active((uv_handle_t *)&timer)) {
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        ck_assert_int_ge(sel_dispatch(sel), 0);
    }
    ck_assert_int_ge(now_ns() - start, 29 * millisecond); /* by libuv's clock */
    assert_noted("u");
    assert_quiet(sel, 0.01);
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(a_run_goes_on_while_a_handle_is_active_and_referenced)
{
    sel_selector *sel = open_selector(_i);
    uv_timer_t timer, forgotten;

    assert_ok(sel_run(sel));
    start_timer(sel, &forgotten, 3600000, "never");
    uv_unref((uv_handle_t *)&forgotten);
    ck_assert_int_eq(sel_is_alive(sel), 0);
    assert_ok(sel_run(sel));
    start_timer(sel, &timer, 10, "u");
    ck_assert_int_eq(sel_is_alive(sel), 1);
    assert_ok(sel_run(sel));
    ck_assert_int_eq(sel_is_alive(sel), 0);
    assert_noted("u");
    assert_ok(uv_timer_start(&timer, note_timer, 0, 0)); /* again, from outside */
    assert_ok(sel_run(sel));
    assert_noted("u");
    assert_ok(uv_timer_start(&timer, note_timer, 0, 0));
    assert_ok(uv_timer_stop(&timer));
    assert_ok(sel_run(sel));
    assert_noted("");
    assert_ok(sel_close(sel));
}
END_TEST

/* --- connections --- */

typedef struct {
    uv_tcp_t listener, server, client;
    uv_connect_t connect;
    uv_write_t write;
    char bytes[16];
} echo;

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    echo *both = handle->data;

    (void)suggested;
    *ret_buffer = uv_buf_init(both->bytes, sizeof both->bytes);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    echo *both = stream->data;
    uv_buf_t answer = uv_buf_init(buffer->base, length > 0 ? (unsigned int)length : 0);

    if (stream == (uv_stream_t *)&both->client) {
        ck_assert_int_eq(memcmp(buffer->base, "hello", 5), 0);
        note(NULL, "echo");
        close_handle(stream);
    } else if (length > 0)
        assert_ok(uv_write(&both->write, stream, &answer, 1, NULL));
    else if (length < 0) {
        close_handle(stream);
        close_handle(&both->listener);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    echo *both = listener->data;

    assert_ok(status);
    assert_ok(uv_accept(listener, (uv_stream_t *)&both->server));
    assert_ok(uv_read_start((uv_stream_t *)&both->server, on_room, on_read));
}

static void on_connected(uv_connect_t *connect, int status)
{
    echo *both = connect->handle->data;
    uv_buf_t hello = uv_buf_init("hello", 5);

    assert_ok(status);
    assert_ok(uv_write(&both->write, connect->handle, &hello, 1, NULL));
    assert_ok(uv_read_start(connect->handle, on_room, on_read));
}

static void begin_echo(uv_loop_t *loop, echo *both)
{
    struct sockaddr_in address;
    int length = sizeof address;

    assert_ok(uv_ip4_addr("127.0.0.1", 0, &address));
    assert_ok(uv_tcp_init(loop, &both->listener));
    assert_ok(uv_tcp_init(loop, &both->server));
    assert_ok(uv_tcp_init(loop, &both->client));
    both->listener.data = both->server.data = both->client.data = both;
    assert_ok(uv_tcp_bind(&both->listener, (struct sockaddr *)&address, 0));
    assert_ok(uv_listen((uv_stream_t *)&both->listener, 1, on_connection));
    assert_ok(uv_tcp_getsockname(&both->listener, (struct sockaddr *)&address, &length));
    assert_ok(uv_tcp_connect(&both->connect, &both->client, (struct sockaddr *)&address,
                             on_connected));
}

START_TEST(connections_on_it_work_beside_keys_and_timers)
{
    sel_selector *sel = open_selector(_i);
    echo both;
    int ticks = 0;
    sel_timer timer;

    assert_ok(sel_call_every(sel, 0.001, count_task, &ticks, &timer));
    begin_echo(sel_loop(sel), &both);
    while (uv_is_active((uv_handle_t *)&both.listener) || ticks < 10) {
        ck_assert_int_ge(sel_select(sel, 10, NULL), 0);
        ck_assert_int_ge(sel_dispatch(sel), 0);
    }
    assert_noted("echo");
    assert_ok(sel_cancel(sel, timer));
    assert_ok(sel_run(sel)); /* until the handles are closed */
    begin_echo(sel_loop(sel), &both);
    assert_ok(sel_run(sel));
    assert_noted("echo");
    assert_ok(sel_close(sel));
}
END_TEST

/* --- processes and threads --- */

static void on_exit_of_child(uv_process_t *process, int64_t status, int signum)
{
    ck_assert_int_eq(status, 3);
    ck_assert_int_eq(signum, 0);
    note(NULL, "exit");
    close_handle(process);
}

START_TEST(a_process_on_it_tells_its_exit)
{
    char *command[] = {"/bin/sh", "-c", "exit 3", NULL};
    uv_process_options_t options = {.file = command[0], .args = command,
                                    .exit_cb = on_exit_of_child};
    sel_selector *sel = open_selector(_i);
    uv_process_t process;

    for (int round = 0; round < 3; round++) {
        assert_ok(uv_spawn(sel_loop(sel), &process, &options));
        assert_ok(sel_run(sel));
        assert_noted("exit");
    }
    assert_ok(sel_close(sel));
}
END_TEST

static void on_async(uv_async_t *async)
{
    note(NULL, "async");
    close_handle(async);
}

typedef struct {
    uv_async_t async;
    pid_t sleeper;
} bell;

static void *ring(void *data)
{
    bell *one = data;

    wait_until_asleep(one->sleeper);
    ck_assert_int_eq(uv_async_send(&one->async), 0);
    return NULL;
}

START_TEST(another_thread_can_wake_it_by_a_handle)
{
    sel_selector *sel = open_selector(_i);
    bell one = {.sleeper = this_thread()};
    pthread_t thread;

    assert_ok(uv_async_init(sel_loop(sel), &one.async, on_async));
    start_thread(&thread, ring, &one);
    assert_ok(sel_run(sel));
    join_thread(thread);
    assert_noted("async");
    assert_ok(sel_close(sel));
}
END_TEST

/* --- the end --- */

static void note_closed(uv_handle_t *handle)
{
    note(NULL, "closed");
    free(handle);
}

START_TEST(a_handle_that_is_being_closed_is_waited_for)
{
    sel_selector *sel = open_selector(_i);
    uv_timer_t *timer = malloc(sizeof *timer);

    ck_assert_ptr_nonnull(timer);
    start_timer(sel, timer, 3600000, "never");
    uv_close((uv_handle_t *)timer, note_closed);
    assert_ok(sel_run(sel));
    assert_noted("closed");
    assert_ok(sel_close(sel));
}
END_TEST

/* Their memory is the program's and can be freed afterwards. */
START_TEST(close_closes_the_handles_that_are_left)
{
    sel_selector *sel = open_selector(_i);
    uv_timer_t *timer = malloc(sizeof *timer), *idle = malloc(sizeof *idle);
    uv_tcp_t *listener = malloc(sizeof *listener);
    struct sockaddr_in address;

    ck_assert(timer != NULL && idle != NULL && listener != NULL);
    start_timer(sel, timer, 0, "never");
    assert_ok(uv_timer_init(sel_loop(sel), idle));
    assert_ok(uv_ip4_addr("127.0.0.1", 0, &address));
    assert_ok(uv_tcp_init(sel_loop(sel), listener));
    assert_ok(uv_tcp_bind(listener, (struct sockaddr *)&address, 0));
    assert_ok(uv_listen((uv_stream_t *)listener, 1, on_connection));
    ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
    assert_ok(sel_close(sel));
    ck_assert(uv_is_closing((uv_handle_t *)timer));
    ck_assert(uv_is_closing((uv_handle_t *)listener));
    free(timer);
    free(idle);
    free(listener);
    assert_noted("");
}
END_TEST

static void count_timer(uv_timer_t *timer)
{
    if (++*(int *)timer->data == 3)
        uv_timer_stop(timer);
}

static void count_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    ++*(int *)poll->data;
    uv_poll_stop(poll);
}

START_TEST(a_handle_without_a_reference_has_its_turn_too)
{
    sel_selector *sel = open_selector(_i);
    int ticks = 0, polled = 0, fd = make_eventfd(1);
    uv_timer_t timer = {.data = &ticks};
    uv_poll_t poll = {.data = &polled};

    assert_ok(uv_timer_init(sel_loop(sel), &timer));
    assert_ok(uv_timer_start(&timer, count_timer, 1, 1));
    uv_unref((uv_handle_t *)&timer);
    assert_ok(uv_poll_init(sel_loop(sel), &poll, fd));
    assert_ok(uv_poll_start(&poll, UV_READABLE, count_poll));
    uv_unref((uv_handle_t *)&poll);
    assert_ok(sel_run(sel)); /* it does not go on for them */
    while (ticks < 3 || polled < 1) {
        ck_assert_int_eq(sel_select(sel, SEL_FOREVER, NULL), 0);
        sel_dispatch(sel);
    }
    ck_assert_int_eq(sel_select(sel, 0.01, NULL), 0);
    assert_ok(sel_close(sel));
    close(fd);
}
END_TEST

typedef struct {
    sel_selector *sel;
    uv_timer_t another;
    int called;
} ending;

/* Everything that a program may try out of habit in the callback of a closing handle. */
static void try_everything(uv_handle_t *handle)
{
    ending *state = handle->data;
    sel_selector *sel = state->sel;
    sel_key key;

    assert_error(sel_register(sel, 0, READ, NULL, NULL), ECANCELED);
    assert_error(sel_modify(sel, 0, READ, NULL, NULL), ECANCELED);
    assert_error(sel_unregister(sel, 0), ECANCELED);
    assert_error(sel_get_key(sel, 0, &key), ECANCELED);
    assert_error(sel_get_map(sel, NULL, 0), ECANCELED);
    assert_error(sel_select(sel, 0, NULL), ECANCELED);
    assert_error(sel_dispatch(sel), ECANCELED);
    assert_error(sel_fileno(sel), ECANCELED);
    assert_error(sel_wakeup(sel), ECANCELED);
    assert_error(sel_run(sel), ECANCELED);
    assert_error(sel_call_soon(sel, never, NULL), ECANCELED);
    assert_error(sel_call_soon_threadsafe(sel, never, NULL), ECANCELED);
    assert_error(sel_call_later(sel, 0, never, NULL, NULL), ECANCELED);
    assert_error(sel_reschedule(sel, (sel_timer){0}, 0), ECANCELED);
    assert_error(sel_cancel(sel, (sel_timer){0}), ECANCELED);
    assert_error(sel_is_alive(sel), ECANCELED);
    assert_error(sel_add_signal_handler(sel, SIGUSR1, never, NULL), ECANCELED);
    assert_error(sel_remove_signal_handler(sel, SIGUSR2), ECANCELED);
    assert_error(sel_run_in_executor(sel, no_work, NULL, NULL), ECANCELED);
    assert_error(sel_close(sel), EBUSY);
    ck_assert_ptr_null(sel_loop(sel));
    assert_ok(uv_timer_init(handle->loop, &state->another)); /* libuv itself takes it */
    assert_ok(uv_timer_start(&state->another, note_timer, 3600000, 0));
    state->called++;
}

START_TEST(what_ends_with_close_finds_a_selector_that_refuses_everything)
{
    sel_selector *sel = open_selector(_i);
    ending state = {.sel = sel};
    uv_timer_t timer;
    int fd = make_eventfd(1);

    assert_ok(sel_register(sel, fd, READ, note_ready, "never"));
    assert_ok(sel_add_signal_handler(sel, SIGUSR2, never, NULL));
    start_timer(sel, &timer, 3600000, NULL);
    timer.data = &state;
    uv_close((uv_handle_t *)&timer, try_everything);
    assert_ok(sel_close(sel));
    ck_assert_int_eq(state.called, 1);
    ck_assert(uv_is_closing((uv_handle_t *)&state.another));
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loop");
    TCase *tcase = new_tcase("the selector's loop");

    add_backend_test(tcase, the_loop_is_the_same_for_the_selectors_life);
    add_backend_test(tcase, handles_on_it_run_in_dispatch_after_the_pairs);
    add_backend_test(tcase, a_handle_without_a_reference_has_its_turn_too);
    add_backend_test(tcase, what_ends_with_close_finds_a_selector_that_refuses_everything);
    add_backend_test(tcase, an_active_handle_ends_the_wait_when_it_is_due_and_not_before);
    add_backend_test(tcase, a_run_goes_on_while_a_handle_is_active_and_referenced);
    add_backend_test(tcase, connections_on_it_work_beside_keys_and_timers);
    add_backend_test(tcase, a_process_on_it_tells_its_exit);
    add_backend_test(tcase, another_thread_can_wake_it_by_a_handle);
    add_backend_test(tcase, a_handle_that_is_being_closed_is_waited_for);
    add_backend_test(tcase, close_closes_the_handles_that_are_left);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
