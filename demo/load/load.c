/* SPDX-License-Identifier: MIT */
/*
 * A load client: very many connections to an echo server from one process, each sending
 * a few messages and checking every byte that comes back.
 *
 * Every connection stays open until the last one has had its messages, so all of them
 * exist at once.  A connection has one message under way at a time; it is dropped at
 * its first wrong byte.  No wait is longer than --timeout. docs/twins/load.py is the
 * same program in Python.
 */
#include "kit/check.h"
#include "kit/connect.h"
#include "kit/fail.h"
#include "kit/nonblocking.h"
#include "kit/resource_limits.h"
#include "kit/stop.h"
#include "load/load_options.h"
#include "load/load_report.h"

#include <selkie.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 16 * 1024 };
static const double RAMP_SECONDS = 0.01, PROGRESS_SECONDS = 0.1;

typedef struct load_client load_client;

typedef struct {
    load_client *load;
    int number;
    int fd; /* -1: closed or not begun */
    bool connected;
    int message; /* how many have come back */
    size_t sent, received; /* of the one under way */
    double since; /* when it was begun */
} connection;

struct load_client {
    load_options options;
    load_result result;
    server_address server;
    sel_selector *sel;
    connection *connections;
    sel_timer ramp;
    double start, last_news;
    int begun, done; /* done: has had all its messages, or was dropped */
    bool failed, ending;
};

static sel_callback connected_cb, talk_cb;

/*
 * Bytes of the message under way, from `offset` on: "17.2 17.2 17.2 ..." for message 2
 * of connection 17, so that another connection's bytes are recognised as wrong.
 */
static void fill(const connection *conn, size_t offset, char *bytes, size_t size)
{
    char word[32];
    int length = snprintf(word, sizeof word, "%d.%d ", conn->number, conn->message);
    int next = (int)(offset % (size_t)length);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = word[next++];
        if (next == length)
            next = 0;
    }
}

static void close_connection(connection *conn)
{
    load_client *load = conn->load;
    sel_unregister(load->sel, conn->fd);
    close(conn->fd);
    conn->fd = -1;
    load->result.open -= conn->connected;
    if (load->result.open == 0 && load->ending)
        sel_stop(load->sel);
}

/* All have had their messages: send the server our end and wait for its own. */
static void end(load_client *load)
{
    load->ending = true;
    load->result.seconds = sel_time(load->sel) - load->start;
    for (int i = 0; i < load->options.connections; i++)
        if (load->connections[i].fd >= 0)
            shutdown(load->connections[i].fd, SHUT_WR);
    if (load->result.open == 0)
        sel_stop(load->sel);
}

static void one_is_done(load_client *load)
{
    if (++load->done == load->options.connections)
        end(load);
}

static void tell_failure(load_client *load, int number, const char *why)
{
    if (!load->failed) { /* ten thousand would print the same */
        clear_progress();
        note(true, "connection %d: %s", number, why);
    }
    load->failed = true;
}

static void drop(connection *conn, const char *why)
{
    tell_failure(conn->load, conn->number, why);
    close_connection(conn);
    one_is_done(conn->load);
}

/* Send what the socket takes.  Returns 0 or a negative errno. */
static int send_rest(connection *conn)
{
    size_t size = (size_t)conn->load->options.size;
    while (conn->sent < size) {
        char bytes[CHUNK];
        size_t part = size - conn->sent < CHUNK ? size - conn->sent : CHUNK;
        fill(conn, conn->sent, bytes, part);
        ssize_t sent = send(conn->fd, bytes, part, MSG_NOSIGNAL);
        if (sent < 0)
            return would_block() ? 0 : -errno;
        conn->sent += (size_t)sent;
    }
    return 0;
}

/* Go on sending, and watch for WRITE only while there is more to send. */
static void send_message(connection *conn)
{
    int error = send_rest(conn);
    bool more = conn->sent < (size_t)conn->load->options.size;
    int events = SEL_EVENT_READ | (more ? SEL_EVENT_WRITE : 0);
    if (error == 0)
        error = sel_modify(conn->load->sel, conn->fd, events, talk_cb, conn);
    if (error < 0)
        drop(conn, sel_strerror(error));
}

static void next_message(connection *conn)
{
    conn->sent = conn->received = 0;
    conn->since = sel_time(conn->load->sel);
    if (conn->message < conn->load->options.messages)
        send_message(conn);
    else
        one_is_done(conn->load);
}

static void came_back(connection *conn)
{
    load_client *load = conn->load;
    double seconds = sel_time(load->sel) - conn->since;
    histogram_add(&load->result.latency, (uint64_t)(seconds * 1e9));
    load->result.came_back++;
    conn->message++;
    next_message(conn);
}

static void wrong(connection *conn)
{
    conn->load->result.wrong++;
    drop(conn, "a wrong byte came back");
}

/* Bytes after the last message make it wrong; the server's end is all that should follow. */
static void after_the_last(connection *conn, ssize_t size)
{
    load_result *result = &conn->load->result;
    if (size > 0) {
        result->came_back--;
        result->wrong++;
        tell_failure(conn->load, conn->number, "more came back than was sent");
    }
    close_connection(conn);
}

static void check_bytes(connection *conn, const char *bytes, size_t size)
{
    char expected[CHUNK];
    fill(conn, conn->received, expected, size);
    conn->received += size;
    /* What has not been sent yet can't be an echo. */
    if (conn->received > conn->sent || memcmp(bytes, expected, size) != 0)
        wrong(conn);
    else if (conn->received == (size_t)conn->load->options.size)
        came_back(conn);
}

static void receive(connection *conn)
{
    load_client *load = conn->load;
    char bytes[CHUNK];
    ssize_t size = recv(conn->fd, bytes, sizeof bytes, 0);
    if (size < 0 && would_block())
        return;
    load->last_news = sel_time(load->sel);
    if (size > 0)
        load->result.bytes += size;
    if (conn->message == load->options.messages)
        after_the_last(conn, size);
    else if (size > 0)
        check_bytes(conn, bytes, (size_t)size);
    else
        drop(conn, size == 0 ? "the server hung up" : sel_strerror(errno));
}

static void talk_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)sel;
    connection *conn = key->data;
    if (mask & SEL_EVENT_READ)
        receive(conn);
    if (mask & SEL_EVENT_WRITE && conn->fd >= 0)
        send_message(conn);
}

static void connected_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    connection *conn = key->data;
    load_client *load = conn->load;
    load->last_news = sel_time(sel);
    int error = connect_result(conn->fd);
    if (error < 0) {
        drop(conn, sel_strerror(error));
        return;
    }
    conn->connected = true;
    load_result *result = &load->result;
    result->connected++;
    result->at_once += ++result->open > result->at_once;
    next_message(conn);
}

static void begin(load_client *load, int number)
{
    connection *conn = &load->connections[number];
    int fd = start_connect(&load->server);
    int error = fd < 0 ? fd : 0;
    if (error == 0)
        error = sel_register(load->sel, fd, SEL_EVENT_WRITE, connected_cb, conn);
    if (error < 0) {
        tell_failure(load, number, sel_strerror(error));
        if (fd >= 0)
            close(fd);
        one_is_done(load);
        return;
    }
    conn->fd = fd;
}

static void ramp_up(sel_selector *sel, void *data)
{
    load_client *load = data;
    double due = 1 + (sel_time(sel) - load->start) * load->options.ramp;
    while (load->begun < load->options.connections && load->begun < due)
        begin(load, load->begun++);
    if (load->begun == load->options.connections)
        sel_cancel(sel, load->ramp);
}

static void show_progress(sel_selector *sel, void *data)
{
    (void)sel;
    load_client *load = data;
    print_progress(&load->result);
}

static void give_up_if_late(sel_selector *sel, void *data)
{
    load_client *load = data;
    double left = load->last_news + load->options.timeout - sel_time(sel);
    if (left > 0 && sel_call_later(sel, left, give_up_if_late, load, NULL) == 0)
        return;
    clear_progress();
    note(true, "nothing has come for %g seconds", load->options.timeout);
    sel_stop(sel);
}

static void run(load_client *load)
{
    check(sel_open(SEL_BACKEND_DEFAULT, &load->sel), "open a selector");
    sel_selector *sel = load->sel;
    load->start = load->last_news = sel_time(sel);
    check(sel_add_signal_handler(sel, SIGINT, stop_loop, NULL), "watch SIGINT");
    check(sel_add_signal_handler(sel, SIGTERM, stop_loop, NULL), "watch SIGTERM");
    check(sel_call_every(sel, RAMP_SECONDS, ramp_up, load, &load->ramp), "set timers");
    check(sel_call_every(sel, PROGRESS_SECONDS, show_progress, load, NULL), "set timers");
    give_up_if_late(sel, load);
    check(sel_run(sel), "wait");
    if (!load->ending)
        load->result.seconds = sel_time(sel) - load->start;
    clear_progress();
}

int main(int argc, char **argv)
{
    static load_client load;
    load.options = read_options(argc, argv);
    const load_options *options = &load.options;
    int count = options->connections;
    load.result.connections = count;
    load.result.messages = (long long)count * options->messages;
    load.server = find_server(options->host, options->port);
    need_descriptors(count);
    need_ports(count);
    load.connections = calloc((size_t)count, sizeof *load.connections);
    if (load.connections == NULL)
        fail(EXIT_FAILURE, "no memory for %d connections", count);
    for (int i = 0; i < count; i++)
        load.connections[i] = (connection){.load = &load, .number = i, .fd = -1};

    run(&load);

    for (int i = 0; i < count; i++)
        if (load.connections[i].fd >= 0)
            close_connection(&load.connections[i]);
    sel_close(load.sel);
    free(load.connections);
    bool on_stdout = options->json != NULL && strcmp(options->json, "-") == 0;
    print_result(&load.result, options->histogram, on_stdout);
    if (options->json != NULL)
        write_json(&load.result, options->json);
    flush_stdout();
    return is_complete(&load.result) ? EXIT_SUCCESS : EXIT_FAILURE;
}
