/* SPDX-License-Identifier: MIT */
/*
 * A selector as libuv's guest and its host: attached to the program's uv loop among its
 * handles, and with the program's handles on the selector's own loop.
 *
 *   sel_attach_loop  uv_run() dispatches the selector beside the loop's handles and
 *                    returns when both are done; sel_select, sel_dispatch and sel_run
 *                    are -EBUSY; sel_close detaches; run once more, and the loop closes
 *   sel_loop         any handle runs inside sel_dispatch(); sel_run() goes on while one
 *                    is active; sel_close() closes what is left on it
 *
 * All that was asked of the guest is done, however it is run: every byte, task, timer
 * and job.
 */
#include "guest.h"

#include <selkie/uv.h>

#include <errno.h>
#include <stdlib.h>

enum { HANDLES = 20 };

/* The program's loop, with handles of its own. */
static int host_calls;

static void on_host_timer(uv_timer_t *timer)
{
    if (++host_calls % 3 == 0)
        uv_close((uv_handle_t *)timer, NULL);
}

static void on_host_idle(uv_idle_t *idle)
{
    if (pick(10) == 0)
        uv_close((uv_handle_t *)idle, NULL);
}

static void attached(sel_backend backend)
{
    struct guest guest;
    uv_loop_t loop;
    uv_timer_t timers[HANDLES];
    uv_idle_t idle;

    guest_arrive(&guest, backend);
    CHECK_IS(uv_loop_init(&loop), 0);
    for (int i = 0; i < HANDLES; i++) {
        CHECK_IS(uv_timer_init(&loop, &timers[i]), 0);
        CHECK_IS(uv_timer_start(&timers[i], on_host_timer, pick(4), 1 + pick(2)), 0);
    }
    CHECK_IS(uv_idle_init(&loop, &idle), 0);
    CHECK_IS(uv_idle_start(&idle, on_host_idle), 0);
    if (pick(2) == 0)
        guest_serve(&guest);
    CHECK_IS(sel_attach_loop(guest.sel, &loop), 0);
    CHECK_IS(sel_attach_loop(guest.sel, &loop), -EBUSY);
    CHECK_IS(sel_select(guest.sel, 0, NULL), -EBUSY);
    CHECK_IS(sel_dispatch(guest.sel), -EBUSY);
    CHECK_IS(sel_run(guest.sel), -EBUSY);
    CHECK_IS(uv_run(&loop, UV_RUN_DEFAULT), 0);
    guest_leave(&guest);
    CHECK_IS(uv_run(&loop, UV_RUN_DEFAULT), 0);
    CHECK_IS(uv_loop_close(&loop), 0);
}

/* The selector's loop, with the program's handles. */
struct hosted {
    int timers, connections, exits;
    uv_tcp_t listener, client, server;
    uv_process_t process;
    uv_timer_t timer, left;
    uv_connect_t request;
};

static void on_timeout(uv_timer_t *timer)
{
    struct hosted *hosted = timer->data;
    if (++hosted->timers == 3)
        uv_close((uv_handle_t *)timer, NULL);
}

static void on_ended(uv_process_t *child, int64_t status, int signum)
{
    struct hosted *hosted = child->data;
    CHECK(status == 3 && signum == 0);
    hosted->exits++;
    uv_close((uv_handle_t *)child, NULL);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct hosted *hosted = listener->data;
    CHECK_IS(status, 0);
    CHECK_IS(uv_tcp_init(listener->loop, &hosted->server), 0);
    CHECK_IS(uv_accept(listener, (uv_stream_t *)&hosted->server), 0);
    uv_close((uv_handle_t *)&hosted->server, NULL);
    uv_close((uv_handle_t *)listener, NULL);
}

static void on_connect(uv_connect_t *request, int status)
{
    struct hosted *hosted = request->data;
    CHECK_IS(status, 0);
    hosted->connections++;
    uv_close((uv_handle_t *)&hosted->client, NULL);
}

static void add_handles(struct hosted *hosted, uv_loop_t *loop)
{
    struct sockaddr_in address;
    int size = sizeof address;
    char *arguments[] = {"sh", "-c", "exit 3", NULL};
    uv_process_options_t options = {.exit_cb = on_ended, .file = "sh", .args = arguments};

    hosted->timer.data = hosted->listener.data = hosted->request.data = hosted;
    hosted->process.data = hosted;
    CHECK_IS(uv_timer_init(loop, &hosted->timer), 0);
    CHECK_IS(uv_timer_start(&hosted->timer, on_timeout, 1, 1), 0);
    CHECK_IS(uv_tcp_init(loop, &hosted->listener), 0);
    CHECK_IS(uv_ip4_addr("127.0.0.1", 0, &address), 0);
    CHECK_IS(uv_tcp_bind(&hosted->listener, (struct sockaddr *)&address, 0), 0);
    CHECK_IS(uv_listen((uv_stream_t *)&hosted->listener, 5, on_connection), 0);
    CHECK_IS(uv_tcp_getsockname(&hosted->listener, (struct sockaddr *)&address, &size),
             0);
    CHECK_IS(uv_tcp_init(loop, &hosted->client), 0);
    CHECK_IS(uv_tcp_connect(&hosted->request, &hosted->client,
                            (struct sockaddr *)&address, on_connect),
             0);
    CHECK_IS(uv_spawn(loop, &hosted->process, &options), 0);
}

static void hosting(sel_backend backend)
{
    struct guest guest;
    struct hosted *hosted = calloc(1, sizeof *hosted);
    guest_arrive(&guest, backend);
    uv_loop_t *loop = sel_loop(guest.sel);
    CHECK(hosted != NULL && loop != NULL);
    CHECK_IS(sel_attach_loop(guest.sel, loop),
             has_fileno(backend) ? -ELOOP : -ENOTSUP);
    add_handles(hosted, loop);
    CHECK_IS(sel_run(guest.sel), 0);
    CHECK(hosted->timers == 3 && hosted->connections == 1 && hosted->exits == 1);
    CHECK(sel_loop(guest.sel) == loop);
    CHECK_IS(uv_timer_init(loop, &hosted->left), 0);
    CHECK_IS(uv_timer_start(&hosted->left, on_timeout, 1000000, 0), 0);
    guest_leave(&guest); /* and closes the timer that is left */
    free(hosted);
}

static void guests(sel_backend backend)
{
    hosting(backend);
    if (has_fileno(backend))
        attached(backend);
}

int main(int argc, char **argv)
{
    stranger_warm_up();
    return stranger_main(argc, argv, 5, guests);
}
