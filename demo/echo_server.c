/* SPDX-License-Identifier: MIT */
/*
 * An echo server: the example of Python's selectors module, done right.
 *
 * One selector holds the listener and every client.  Each key carries the
 * callback that serves it and the data that callback needs; the main loop knows
 * nothing else.  docs/twins/echo_server.py is the same program in Python.
 *
 * What a client's socket does not take at once is queued (kit/connection.h), and only
 * while something is queued does the selector watch for WRITE.
 */
#include "kit/acceptor.h"
#include "kit/check.h"
#include "kit/connection.h"
#include "kit/listen.h"
#include "kit/status.h"
#include "kit/stop.h"

#include <selkie.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { FLUSH_SECONDS = 3 }; /* how long a client may take to read when the server stops */

typedef struct {
    sel_selector *sel;
    acceptor acceptor;
    int clients;
    meter *meter; /* with --status it counts what is shown; else NULL */
    bool verbose, stopping;
    pthread_t thread; /* that serves it, unless main() does */
} echo_server;

static sel_callback read_cb, write_cb;

static void hang_up(sel_selector *sel, connection *conn, const char *why)
{
    echo_server *server = conn->server;
    note(server->verbose, "%d: %s", conn->fd, why);
    sel_unregister(sel, conn->fd);
    connection_close(conn);
    free(conn);
    if (--server->clients == 0 && server->stopping)
        sel_stop(sel);
}

/* Watch for what the connection needs next, or hang up if that is nothing. */
static void watch(sel_selector *sel, connection *conn)
{
    bool queued = connection_wants_write(conn);
    int events = connection_wants_read(conn) ? SEL_EVENT_READ : 0;
    if (queued)
        events |= SEL_EVENT_WRITE;
    if (events == 0) {
        hang_up(sel, conn, "closed");
        return;
    }
    int error = sel_modify(sel, conn->fd, events, queued ? write_cb : read_cb, conn);
    if (error < 0)
        hang_up(sel, conn, sel_strerror(error));
}

/* Send what the socket takes of the queue.  Returns a negative errno if that fails. */
static ssize_t send_queued(connection *conn)
{
    const echo_server *server = conn->server;
    ssize_t sent = connection_send(conn);
    meter_sent(server->meter, sent);
    return sent;
}

static void add_connection(void *data, int fd)
{
    echo_server *server = data;
    connection *conn = calloc(1, sizeof *conn);
    int error = -ENOMEM;
    if (conn != NULL)
        error = sel_register(server->sel, fd, SEL_EVENT_READ, read_cb, conn);
    if (error < 0) {
        note(server->verbose, "%d: turned away: %s", fd, sel_strerror(error));
        free(conn);
        close(fd);
        return;
    }
    *conn = (connection){.fd = fd, .server = server};
    server->clients++;
    note(server->verbose, "%d: accepted", fd);
}

static void begin_turn(void *data)
{
    const echo_server *server = data;
    meter_turn(server->meter);
}

static void read_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    connection *conn = key->data;
    echo_server *server = conn->server;
    begin_turn(server);
    ssize_t size = connection_receive(conn);
    if (size > 0) {
        note(server->verbose, "%d: echoing %zd bytes", conn->fd, size);
        size = send_queued(conn);
    }
    if (size < 0)
        hang_up(sel, conn, sel_strerror((int)size));
    else
        watch(sel, conn);
}

/* The callback while something is queued. */
static void write_cb(sel_selector *sel, const sel_key *key, int mask)
{
    connection *conn = key->data;
    if (!(mask & SEL_EVENT_WRITE)) {
        read_cb(sel, key, mask);
        return;
    }
    begin_turn(conn->server);
    ssize_t sent = send_queued(conn);
    if (sent < 0)
        hang_up(sel, conn, sel_strerror((int)sent));
    else
        watch(sel, conn);
}

/* Once the listener is gone, every key is a client's. */
static void each_connection(sel_selector *sel,
                            void (*function)(sel_selector *sel, connection *conn))
{
    int count = sel_get_map(sel, NULL, 0);
    sel_key *keys = calloc((size_t)count + 1, sizeof *keys);
    if (keys == NULL)
        return;
    sel_get_map(sel, keys, (size_t)count);
    for (int i = 0; i < count; i++)
        function(sel, keys[i].data);
    free(keys);
}

static void finish(sel_selector *sel, connection *conn)
{
    if (connection_leave(conn))
        watch(sel, conn);
    else
        hang_up(sel, conn, "closed");
}

static void drop(sel_selector *sel, connection *conn)
{
    hang_up(sel, conn, "dropped");
}

/* SIGINT, SIGTERM: serve no more, but send what is queued.  The second time: end. */
static void stop(sel_selector *sel, void *data)
{
    echo_server *server = data;
    if (server->stopping) {
        sel_stop(sel);
        return;
    }
    server->stopping = true;
    acceptor_stop(&server->acceptor);
    int error = sel_call_later(sel, FLUSH_SECONDS, stop_loop, NULL, NULL);
    if (error < 0 || server->clients == 0)
        sel_stop(sel);
    each_connection(sel, finish);
}

static void open_server(echo_server *server, int listener, meter *counts, bool verbose)
{
    *server = (echo_server){.meter = counts, .verbose = verbose};
    check(sel_open(SEL_BACKEND_DEFAULT, &server->sel), "open a selector");
    server->acceptor = (acceptor){.sel = server->sel,
                                  .listener = listener,
                                  .before = begin_turn,
                                  .add_client = add_connection,
                                  .data = server,
                                  .verbose = verbose};
    check(acceptor_start(&server->acceptor), "wait");
    check(sel_add_signal_handler(server->sel, SIGINT, stop, server), "watch SIGINT");
    check(sel_add_signal_handler(server->sel, SIGTERM, stop, server), "watch SIGTERM");
    check(meter_start(counts, server->sel, &server->clients), "measure");
}

static void *serve(void *data)
{
    echo_server *server = data;

    check(sel_run(server->sel), "wait"); /* select, then call back every ready key */

    each_connection(server->sel, drop);
    sel_close(server->sel);
    return NULL;
}

/* With --threads N: N servers that share nothing, a signal on all of them. */
int main(int argc, char **argv)
{
    server_options options = {
        .purpose = "Send every client back what it sends: one loop over a selector.",
        .takes_threads = true,
        .takes_status = true};
    parse_options(argc, argv, &options);
    echo_server *servers = calloc((size_t)options.threads, sizeof *servers);
    if (servers == NULL)
        fail(EXIT_FAILURE, "no memory for %d threads", options.threads);
    status *view = options.status ? status_open(options.threads) : NULL;
    int listener = open_listener(&options);
    for (int i = 0; i < options.threads; i++)
        open_server(&servers[i], i == 0 ? listener : open_sibling(listener, &options),
                    status_meter(view, i), options.verbose);
    print_listening(listener);
    check(status_start(view, servers[0].sel, listener), "show a status");

    for (int i = 1; i < options.threads; i++)
        check(-pthread_create(&servers[i].thread, NULL, serve, &servers[i]), "start a thread");
    serve(&servers[0]);
    for (int i = 1; i < options.threads; i++)
        pthread_join(servers[i].thread, NULL);
    status_close(view);
    free(servers);
    return EXIT_SUCCESS;
}
