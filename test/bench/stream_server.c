/* SPDX-License-Identifier: MIT */
/*
 * The echo server on libuv's streams: what a program does that lets libuv read
 * and write.  Like bench_server it prints its port and serves until its
 * standard input ends.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { MESSAGE = 4096, BACKLOG = 4096 };

typedef struct {
    uv_tcp_t tcp;
    char message[MESSAGE];
} connection;

static void check(int error)
{
    if (error < 0)
        fail("libuv: %s", uv_strerror(error));
}

static void free_connection(uv_handle_t *handle)
{
    free(handle);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    connection *conn = (connection *)handle;

    (void)suggested;
    *ret_buffer = uv_buf_init(conn->message, sizeof conn->message);
}

/* libuv writes at once what the socket takes, and no client sends ahead. */
static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    uv_buf_t answer = uv_buf_init(buffer->base, (unsigned)(got > 0 ? got : 0));

    if (got < 0)
        uv_close((uv_handle_t *)stream, free_connection);
    else if (got > 0 && uv_try_write(stream, &answer, 1) != got)
        fail("uv_try_write wrote less");
}

static void on_connection(uv_stream_t *listener, int status)
{
    connection *conn = allocate(1, sizeof *conn);

    check(status);
    check(uv_tcp_init(listener->loop, &conn->tcp));
    check(uv_accept(listener, (uv_stream_t *)&conn->tcp));
    check(uv_read_start((uv_stream_t *)&conn->tcp, on_room, on_read));
}

static void on_end(uv_poll_t *input, int status, int events)
{
    (void)status;
    (void)events;
    uv_stop(input->loop);
}

static void print_port(const uv_tcp_t *listener)
{
    struct sockaddr_in address;
    int length = sizeof address;

    check(uv_tcp_getsockname(listener, (struct sockaddr *)&address, &length));
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    struct sockaddr_in address;
    uv_tcp_t listener;
    uv_poll_t input;

    raise_descriptor_limit(19800);
    check(uv_ip4_addr("127.0.0.1", 0, &address));
    check(uv_tcp_init(loop, &listener));
    check(uv_tcp_bind(&listener, (struct sockaddr *)&address, 0));
    check(uv_listen((uv_stream_t *)&listener, BACKLOG, on_connection));
    print_port(&listener);
    check(uv_poll_init(loop, &input, 0));
    check(uv_poll_start(&input, UV_READABLE, on_end));
    uv_run(loop, UV_RUN_DEFAULT);
    return EXIT_SUCCESS;
}
