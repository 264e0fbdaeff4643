/* SPDX-License-Identifier: MIT */
/*
 * A libuv program with connections, timers and child processes, to which a selector is
 * attached, and the end of such a selector.
 */
#include "support/journal.h"

#include <errno.h>
#include <selkie/uv.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, ECHOES = 20 };

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

/* --- the loop's side: an echo over TCP, a timer, a process --- */

typedef struct {
    uv_loop_t loop;
    uv_tcp_t listener, server, client;
    uv_connect_t connect;
    uv_write_t writes[2];
    uv_timer_t timer;
    uv_process_t process;
    char bytes[64];
    int echoes, ticks;
    int64_t exit_status;
} program;

static void *close_handle(void *handle)
{
    uv_close(handle, NULL);
    return handle;
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    program *all = handle->loop->data;

    (void)suggested;
    *ret_buffer = uv_buf_init(all->bytes, sizeof all->bytes);
}

static void write_back(uv_stream_t *stream, uv_write_t *request, char *bytes,
                       ssize_t length)
{
    uv_buf_t buffer = uv_buf_init(bytes, (unsigned int)length);

    assert_ok(uv_write(request, stream, &buffer, 1, NULL));
}

static void on_server_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    program *all = stream->loop->data;

    if (length > 0)
        write_back(stream, &all->writes[0], buffer->base, length);
    else if (length < 0) {
        close_handle(stream);
        close_handle(&all->listener);
    }
}

static void on_client_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    program *all = stream->loop->data;

    ck_assert_int_eq(length, 5);
    ck_assert_int_eq(memcmp(buffer->base, "hello", 5), 0);
    if (++all->echoes < ECHOES)
        write_back(stream, &all->writes[1], buffer->base, length);
    else
        close_handle(stream);
}

static void on_connection(uv_stream_t *listener, int status)
{
    program *all = listener->loop->data;

    assert_ok(status);
    assert_ok(uv_tcp_init(&all->loop, &all->server));
    assert_ok(uv_accept(listener, (uv_stream_t *)&all->server));
    assert_ok(uv_read_start((uv_stream_t *)&all->server, on_room, on_server_read));
}

static void on_connected(uv_connect_t *connect, int status)
{
    program *all = connect->handle->loop->data;

    assert_ok(status);
    assert_ok(uv_read_start(connect->handle, on_room, on_client_read));
    memcpy(all->bytes, "hello", 5);
    write_back(connect->handle, &all->writes[1], all->bytes, 5);
}

static void begin_echo(program *all)
{
    struct sockaddr_in address;
    int length = sizeof address;

    assert_ok(uv_ip4_addr("127.0.0.1", 0, &address));
    assert_ok(uv_tcp_init(&all->loop, &all->listener));
    assert_ok(uv_tcp_bind(&all->listener, (struct sockaddr *)&address, 0));
    assert_ok(uv_listen((uv_stream_t *)&all->listener, 1, on_connection));
    assert_ok(uv_tcp_getsockname(&all->listener, (struct sockaddr *)&address, &length));
    assert_ok(uv_tcp_init(&all->loop, &all->client));
    assert_ok(uv_tcp_connect(&all->connect, &all->client, (struct sockaddr *)&address,
                             on_connected));
}

static void on_tick(uv_timer_t *timer)
{
    program *all = timer->loop->data;

    if (++all->ticks == 10)
        close_handle(timer);
}

static void on_exit_of_child(uv_process_t *process, int64_t status, int signum)
{
    program *all = process->loop->data;

    ck_assert_int_eq(signum, 0);
    all->exit_status = status;
    close_handle(process);
}

static void begin_child(program *all)
{
    char *command[] = {"/bin/sh", "-c", "exit 7", NULL};
    uv_process_options_t options = {.file = command[0], .args = command,
                                    .exit_cb = on_exit_of_child};

    assert_ok(uv_spawn(&all->loop, &all->process, &options));
}

static void begin_program(program *all)
{
    all->loop.data = all;
    begin_echo(all);
    begin_child(all);
    assert_ok(uv_timer_init(&all->loop, &all->timer));
    assert_ok(uv_timer_start(&all->timer, on_tick, 1, 1));
}

/* --- the selector's side: bytes through a socket, one for each run of a timer --- */

typedef struct {
    int ends[2];
    sel_timer timer;
    int sent, received;
} feed;

static void send_byte(sel_selector *sel, void *data)
{
    feed *bytes = data;

    put_byte(bytes->ends[0]);
    if (++bytes->sent == ECHOES)
        assert_ok(sel_cancel(sel, bytes->timer));
}

static void receive_byte(sel_selector *sel, const sel_key *key, int mask)
{
    feed *bytes = key->data;

    ck_assert_int_eq(mask, READ);
    take_byte(key->fd);
    if (++bytes->received == ECHOES)
        assert_ok(sel_unregister(sel, key->fd));
}

static void begin_feed(sel_selector *sel, feed *bytes)
{
    *bytes = (feed){.sent = 0};
    make_socketpair(bytes->ends);
    assert_ok(sel_register(sel, bytes->ends[1], READ, receive_byte, bytes));
    assert_ok(sel_call_every(sel, 0.002, send_byte, bytes, &bytes->timer));
}

static void assert_feed_done(const feed *bytes)
{
    ck_assert_int_eq(bytes->sent, ECHOES);
    ck_assert_int_eq(bytes->received, ECHOES);
    close_pair(bytes->ends);
}

START_TEST(a_selector_runs_beside_connections_timers_and_processes)
{
    program all = {.exit_status = -1};
    sel_selector *sel;
    feed bytes;

    open_attached(_i, &all.loop, &sel);
    for (int round = 0; round < 2; round++) {
        all.echoes = all.ticks = 0;
        begin_program(&all);
        begin_feed(sel, &bytes);
        run_loop(&all.loop); /* returns when both are done */
        ck_assert_int_eq(all.echoes, ECHOES);
        ck_assert_int_eq(all.ticks, 10);
        ck_assert_int_eq(all.exit_status, 7);
        assert_feed_done(&bytes);
    }
    close_both(&all.loop, sel);
}
END_TEST

START_TEST(two_selectors_can_be_attached_to_one_loop)
{
    program all = {.exit_status = -1};
    sel_selector *sel, *other = open_selector(_i);
    feed bytes, others;

    open_attached(_i, &all.loop, &sel);
    assert_ok(sel_attach_loop(other, &all.loop));
    begin_program(&all);
    begin_feed(sel, &bytes);
    begin_feed(other, &others);
    run_loop(&all.loop);
    ck_assert_int_eq(all.exit_status, 7);
    assert_feed_done(&bytes);
    assert_feed_done(&others);
    begin_feed(other, &others); /* one goes, the other stays */
    assert_ok(sel_close(sel));
    run_loop(&all.loop);
    assert_feed_done(&others);
    close_both(&all.loop, other);
}
END_TEST

/* At the program's own pace: one pass of the loop at a time. */
START_TEST(the_loop_may_be_run_pass_by_pass)
{
    static const uv_run_mode modes[] = {UV_RUN_NOWAIT, UV_RUN_ONCE};

    for (int i = 0; i < 2; i++) {
        uv_loop_t loop;
        sel_selector *sel;
        feed bytes;

        open_attached(_i, &loop, &sel);
        begin_feed(sel, &bytes);
        while (uv_run(&loop, modes[i]) != 0)
            continue;
        assert_feed_done(&bytes);
        close_both(&loop, sel);
    }
}
END_TEST

/* --- mistakes --- */

static void close_registered(uv_timer_t *timer)
{
    const int *fds = timer->data;

    close(fds[0]);
    move_descriptor(make_eventfd(1), fds[1]);
}

static void unregister_both(sel_selector *sel, void *data)
{
    const int *fds = data;

    assert_ok(sel_unregister(sel, fds[0]));
    assert_ok(sel_unregister(sel, fds[1]));
    note(sel, "end");
}

/* The loop's callback closes a descriptor that the selector watches; libuv would abort. */
START_TEST(a_descriptor_closed_by_the_loops_callback_does_no_harm)
{
    uv_loop_t loop;
    uv_timer_t timer;
    sel_selector *sel;
    int closed[2], replaced[2], fds[2];

    make_pipe(closed);
    make_pipe(replaced);
    fds[0] = closed[0];
    fds[1] = replaced[0];
    open_attached(_i, &loop, &sel);
    for (int i = 0; i < 2; i++)
        assert_ok(sel_register(sel, fds[i], READ, note_ready, "never"));
    uv_timer_init(&loop, &timer);
    timer.data = fds;
    uv_timer_start(&timer, close_registered, 2, 0);
    assert_ok(sel_call_later(sel, 0.03, unregister_both, fds, NULL));
    run_loop(&loop);
    assert_noted("end");
    uv_close((uv_handle_t *)&timer, NULL);
    close_both(&loop, sel);
    close(closed[1]);
    close_pair(replaced);
}
END_TEST

/* --- the end --- */

START_TEST(close_detaches_and_its_memory_goes_when_the_loop_next_runs)
{
    uv_loop_t loop;
    sel_selector *sel;
    int fd = make_eventfd(1);

    open_attached(_i, &loop, &sel);
    assert_ok(sel_register(sel, fd, READ, note_ready, "never"));
    assert_ok(sel_call_later(sel, 0, never, NULL, NULL));
    assert_ok(sel_call_soon(sel, never, NULL));
    assert_ok(sel_close(sel));
    ck_assert_int_eq(uv_loop_close(&loop), UV_EBUSY);
    run_loop(&loop);
    assert_ok(uv_loop_close(&loop));
    assert_noted("");
    close(fd);
}
END_TEST

typedef struct {
    sel_selector *sel;
    call_record record;
    int calls; /* that are waited for */
} closing;

static void close_selector(uv_timer_t *timer)
{
    closing *all = timer->data;

    if (all->record.calls < all->calls)
        return; /* a busy machine: try again in 10 ms */
    assert_ok(sel_close(all->sel));
    uv_close((uv_handle_t *)timer, NULL);
}

START_TEST(a_callback_of_the_loop_may_close_the_selector)
{
    for (int busy = 0; busy < 2; busy++) {
        uv_loop_t loop;
        uv_timer_t timer;
        closing all = {.calls = busy};
        int fd = make_eventfd((unsigned int)busy);

        open_attached(_i, &loop, &all.sel);
        assert_ok(sel_register(all.sel, fd, READ, record_call, &all.record));
        assert_ok(sel_call_later(all.sel, 3600, never, NULL, NULL));
        assert_ok(sel_run_in_executor(all.sel, no_work, NULL, NULL));
        uv_timer_init(&loop, &timer);
        timer.data = &all;
        uv_timer_start(&timer, close_selector, 10, 10);
        run_loop(&loop);
        ck_assert_int_eq(all.record.calls > 0, busy);
        assert_ok(uv_loop_close(&loop));
        close(fd);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("attach_program");
    TCase *tcase = new_tcase("a libuv program");

    add_fileno_test(tcase, a_selector_runs_beside_connections_timers_and_processes);
    add_fileno_test(tcase, two_selectors_can_be_attached_to_one_loop);
    add_fileno_test(tcase, the_loop_may_be_run_pass_by_pass);
    add_fileno_test(tcase, a_descriptor_closed_by_the_loops_callback_does_no_harm);
    add_fileno_test(tcase, close_detaches_and_its_memory_goes_when_the_loop_next_runs);
    add_fileno_test(tcase, a_callback_of_the_loop_may_close_the_selector);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
