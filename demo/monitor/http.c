/* SPDX-License-Identifier: MIT */
/*
 * The clients of the HTTP server.
 *
 * A client reads a request, sends the answer, and so on, or it streams.  In the end it
 * leaves: once everything is sent, what still arrives is dropped, so that closing does
 * not reset what is on its way.  Reading a request keeps its deadline even if bytes
 * drip in.
 */
#include "monitor/http.h"
#include "kit/bytearray.h"
#include "kit/nonblocking.h"
#include "monitor/http_host.h"
#include "monitor/http_request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    INPUT_SIZE = 4096,
    HEADER_SIZE = 1024,
    STREAM_BUFFER = 4096, /* the kernel's; kept small, because what waits there grows stale */
};
/* No other site may frame this page, and the page loads nothing from elsewhere. */
static const char SECURITY[] =
    "Content-Security-Policy: default-src 'none'; connect-src 'self'; img-src data:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n";
static const double SWEEPS = 4; /* how often per timeout to look for late clients */

typedef enum { READING, ANSWERING, STREAMING, LEAVING } http_state;

struct http_client {
    http_server *server;
    http_client *next;
    int fd;
    http_state state;
    double deadline;
    bool ended;   /* it has sent its last byte */
    bool closing; /* no further request is read */
    http_request request;
    char input[INPUT_SIZE]; /* not parsed yet */
    size_t input_size;
    bytearray queue;
};

static void hang_up(http_client *client)
{
    http_server *server = client->server;
    note(server->verbose, "%d: closed", client->fd);
    http_client **link = &server->first;
    while (*link != client)
        link = &(*link)->next;
    *link = client->next;
    server->clients--;
    server->streams -= client->state == STREAMING;
    sel_unregister(server->sel, client->fd);
    close(client->fd);
    bytearray_clear(&client->queue);
    free(client);
}

static void postpone(http_client *client)
{
    client->deadline = sel_time(client->server->sel) + client->server->timeout;
}

static void enter(http_client *client, http_state state)
{
    client->server->streams += (state == STREAMING) - (client->state == STREAMING);
    client->state = state;
    if (state == READING)
        http_request_begin(&client->request);
    if (state == LEAVING)
        shutdown(client->fd, SHUT_WR);
    postpone(client);
}

/* --- answers --- */

/* If there is no memory for an answer, the connection ends. */
static void queue(http_client *client, const char *bytes, size_t size)
{
    if (bytearray_extend(&client->queue, bytes, size) < 0)
        client->closing = true;
}

static void queue_header(http_client *client, int status, const char *fields)
{
    char header[HEADER_SIZE];
    char date[64];
    struct tm tm;
    time_t now = time(NULL);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    int size = snprintf(header, sizeof header,
                        "HTTP/1.1 %d %s\r\n"
                        "Date: %s\r\n"
                        "Connection: %s\r\n"
                        "Cache-Control: no-store\r\n"
                        "%s%s\r\n",
                        status, http_status_str((enum http_status)status), date,
                        client->closing ? "close" : "keep-alive", SECURITY, fields);
    queue(client, header, (size_t)size);
}

/* The parser guesses the method before it has seen all of it. */
static bool wants_body(const http_client *client)
{
    const http_request *request = &client->request;
    return request->parser.method != HTTP_HEAD || request->path_size == 0;
}

void http_answer(http_client *client, int status, const char *type, const char *body,
                 size_t size)
{
    char fields[HEADER_SIZE / 2];
    snprintf(fields, sizeof fields,
             "Content-Type: %s\r\n"
             "Content-Length: %zu\r\n%s",
             type, size, status == HTTP_STATUS_METHOD_NOT_ALLOWED ? "Allow: GET, HEAD\r\n"
                                                                  : "");
    note(client->server->verbose, "%d: %d", client->fd, status);
    enter(client, ANSWERING);
    queue_header(client, status, fields);
    if (wants_body(client))
        queue(client, body, size);
}

void http_stream(http_client *client)
{
    const int buffer = STREAM_BUFFER;
    note(client->server->verbose, "%d: a stream", client->fd);
    setsockopt(client->fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    enter(client, wants_body(client) ? STREAMING : ANSWERING);
    client->closing = true; /* the stream ends with the connection */
    queue_header(client, HTTP_STATUS_OK, "Content-Type: text/event-stream\r\n");
}

void http_event(http_client *client, const char *event, size_t size)
{
    if (client->state == STREAMING)
        queue(client, event, size);
}

static void answer_error(http_client *client, int status)
{
    char text[64];
    int size = snprintf(text, sizeof text, "%d %s\n", status,
                        http_status_str((enum http_status)status));
    client->closing = true;
    http_answer(client, status, "text/plain", text, (size_t)size);
}

/* --- one client --- */

/* Returns 0 or a negative errno. */
static int send_queued(http_client *client)
{
    ssize_t sent = send_now(client->fd, &client->queue);
    if (sent > 0 && client->state == STREAMING && client->queue.size == 0)
        postpone(client);
    return sent < 0 ? (int)sent : 0;
}

/* What arrives after the last request is dropped. */
static int receive(http_client *client)
{
    if (client->state != READING)
        client->input_size = 0;
    ssize_t size = receive_now(client->fd, client->input + client->input_size,
                               INPUT_SIZE - client->input_size, &client->ended);
    if (size < 0)
        return (int)size;
    client->input_size += (size_t)size;
    return 0;
}

/* Returns whether there is a request to answer, even a malformed one. */
static bool take_request(http_client *client)
{
    http_request *request = &client->request;
    if (client->input_size > 0) {
        size_t used = http_request_take(request, client->input, client->input_size);
        client->input_size -= used;
        memmove(client->input, client->input + used, client->input_size);
    }
    if (client->ended && !request->complete)
        http_request_end(request);
    return request->complete || request->wrong != 0;
}

static void answer(http_client *client)
{
    http_request *request = &client->request;
    const http_server *server = client->server;
    client->closing = !request->keeps_alive || client->ended;
    if (request->wrong != 0)
        answer_error(client, request->wrong);
    else if (request->hosts > 0 && !is_own_host(request->host, client->fd, server->host))
        answer_error(client, HTTP_STATUS_MISDIRECTED_REQUEST);
    else
        server->handler(client, request->path, server->data);
}

/*
 * Do whatever can be done now.  Returns 0, or a negative errno if there is nothing more
 * to wait for.
 */
static int serve(http_client *client)
{
    for (;;) {
        int error = send_queued(client);
        if (error < 0 || client->queue.size > 0)
            return error;
        if (client->state == ANSWERING)
            enter(client, client->closing ? LEAVING : READING);
        if (client->state != READING)
            return client->ended ? -ENOTCONN : 0;
        if (!take_request(client))
            return client->ended ? -ENOTCONN : 0;
        answer(client);
    }
}

static int watch(http_client *client, sel_callback *callback)
{
    int events = client->queue.size > 0 ? SEL_EVENT_WRITE : SEL_EVENT_READ;
    if (client->state == STREAMING)
        events |= SEL_EVENT_READ; /* to notice its end */
    return sel_modify(client->server->sel, client->fd, events, callback, client);
}

static void client_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    http_client *client = key->data;
    int error = mask & SEL_EVENT_READ ? receive(client) : 0;
    if (error == 0 && client->state == STREAMING && client->ended)
        error = -ENOTCONN;
    if (error == 0)
        error = serve(client);
    if (error == 0)
        error = watch(client, client_cb);
    if (error < 0)
        hang_up(client);
}

/* --- all clients --- */

void http_push(http_server *server, const char *event, size_t size)
{
    http_client *next;
    for (http_client *client = server->first; client != NULL; client = next) {
        next = client->next;
        if (client->state != STREAMING || client->queue.size > 0)
            continue;
        queue(client, event, size);
        int error = send_queued(client);
        if (error == 0)
            error = watch(client, client_cb);
        if (error < 0)
            hang_up(client);
    }
}

/* A client whose request is late is told so; any other late one is treated as gone. */
static void sweep(sel_selector *sel, void *data)
{
    http_server *server = data;
    double now = sel_time(sel);
    http_client *next;
    for (http_client *client = server->first; client != NULL; client = next) {
        next = client->next;
        if (now < client->deadline)
            continue;
        int error = -ETIMEDOUT;
        if (client->state == READING && client->request.begun) {
            answer_error(client, HTTP_STATUS_REQUEST_TIMEOUT);
            error = serve(client);
            if (error == 0)
                error = watch(client, client_cb);
        } else if (client->state == STREAMING && client->queue.size == 0) {
            error = 0; /* it has taken all there was */
        }
        if (error < 0)
            hang_up(client);
    }
}

static void add_client(void *data, int fd)
{
    http_server *server = data;
    http_client *client = NULL;
    int error = server->clients < HTTP_CLIENTS_MAX ? 0 : -EUSERS;
    if (error == 0 && (client = calloc(1, sizeof *client)) == NULL)
        error = -ENOMEM;
    if (error == 0)
        error = sel_register(server->sel, fd, SEL_EVENT_READ, client_cb, client);
    if (error != 0) {
        note(server->verbose, "%d: turned away: %s", fd, sel_strerror(error));
        free(client);
        close(fd);
        return;
    }
    client->server = server;
    client->fd = fd;
    client->next = server->first;
    server->first = client;
    server->clients++;
    enter(client, READING);
    note(server->verbose, "%d: accepted", fd);
}

int http_start(http_server *server)
{
    server->acceptor = (acceptor){.sel = server->sel,
                                  .listener = server->listener,
                                  .add_client = add_client,
                                  .data = server};
    int error = acceptor_start(&server->acceptor);
    if (error < 0)
        return error;
    return sel_call_every(server->sel, server->timeout / SWEEPS, sweep, server, NULL);
}

void http_stop(http_server *server)
{
    while (server->first != NULL)
        hang_up(server->first);
    acceptor_stop(&server->acceptor);
}
