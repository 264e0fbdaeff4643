/* SPDX-License-Identifier: MIT */
/*
 * An echo server: the example of Python's selectors module, done right.
 *
 * One selector holds the listener and every client.  Each key carries the
 * callback that serves it and the data that callback needs; the main loop knows
 * nothing else.  docs/twins/echo_server.py is the same program in Python.
 *
 * What a client's socket does not take at once is queued, and only while
 * something is queued does the selector watch for WRITE.  A client that sends
 * but does not read is not read from either once HIGH_WATER bytes are queued, so
 * that a client costs HIGH_WATER + READ_SIZE bytes at most.
 */
#include "kit/bytearray.h"
#include "kit/check.h"
#include "kit/listen.h"
#include "kit/status.h"

#include <selkie.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_SIZE = 16 * 1024,
    HIGH_WATER = 64 * 1024,
    ACCEPTS_PER_PASS = 16, /* so that a rush of new clients leaves others their turn */
    FLUSH_SECONDS = 3, /* how long a client may take to read when the server stops */
};
static const double PAUSE_SECONDS = 0.1; /* when the kernel has no room for a client */

typedef struct {
    sel_selector *sel;
    int listener;
    int reserve;
    int clients;
    meter *meter; /* with --status it counts what is shown; else NULL */
    bool verbose;
    bool stopping;
} echo_server;

typedef struct {
    echo_server *server;
    int fd;
    bool ended; /* it has sent its last byte */
    bytearray queue;
} connection;

static sel_callback accept_cb, read_cb, write_cb;

static bool would_block(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static void hang_up(sel_selector *sel, connection *conn, const char *why)
{
    echo_server *server = conn->server;
    note(server->verbose, "%d: %s", conn->fd, why);
    sel_unregister(sel, conn->fd);
    close(conn->fd);
    bytearray_clear(&conn->queue);
    free(conn);
    if (--server->clients == 0 && server->stopping)
        sel_stop(sel);
}

/* Watch for what the connection needs next, or hang up if that is nothing. */
static void watch(sel_selector *sel, connection *conn)
{
    bool stopping = conn->server->stopping;
    size_t queued = conn->queue.size;
    if (queued == 0 && conn->ended) {
        hang_up(sel, conn, "closed");
        return;
    }
    if (queued == 0 && stopping)
        shutdown(conn->fd, SHUT_WR);
    int events = 0;
    if (!conn->ended && (queued < HIGH_WATER || stopping))
        events |= SEL_EVENT_READ;
    if (queued > 0)
        events |= SEL_EVENT_WRITE;
    int error = sel_modify(sel, conn->fd, events, queued > 0 ? write_cb : read_cb, conn);
    if (error < 0)
        hang_up(sel, conn, sel_strerror(error));
}

/* Send what the socket takes of the queue.  Returns 0 or a negative errno. */
static int send_queued(connection *conn)
{
    bytearray *queue = &conn->queue;
    if (queue->size == 0)
        return 0;
    ssize_t sent = send(conn->fd, bytearray_bytes(queue), queue->size, MSG_NOSIGNAL);
    if (sent < 0)
        return would_block() ? 0 : -errno;
    bytearray_remove(queue, (size_t)sent);
    meter_sent(conn->server->meter, (size_t)sent);
    return 0;
}

static void add_connection(sel_selector *sel, echo_server *server, int fd)
{
    connection *conn = calloc(1, sizeof *conn);
    int error = conn == NULL ? -ENOMEM : 0;
    if (error == 0)
        error = sel_register(sel, fd, SEL_EVENT_READ, read_cb, conn);
    if (error < 0) {
        note(server->verbose, "%d: turned away: %s", fd, sel_strerror(error));
        free(conn);
        close(fd);
        return;
    }
    *conn = (connection){.server = server, .fd = fd};
    server->clients++;
    note(server->verbose, "%d: accepted", fd);
}

static void resume_accepting(sel_selector *sel, void *data)
{
    echo_server *server = data;
    if (!server->stopping)
        sel_modify(sel, server->listener, SEL_EVENT_READ, accept_cb, server);
}

/* A listener that is readable but not accepted from would keep the loop spinning. */
static void pause_accepting(sel_selector *sel, echo_server *server, int error)
{
    note(server->verbose, "cannot accept for now: %s", sel_strerror(error));
    if (sel_call_later(sel, PAUSE_SECONDS, resume_accepting, server, NULL) == 0)
        sel_modify(sel, server->listener, 0, accept_cb, server);
}

static void accept_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    echo_server *server = key->data;
    meter_turn(server->meter);
    for (int i = 0; i < ACCEPTS_PER_PASS; i++) {
        int fd = accept_client(key->fd, &server->reserve);
        if (fd >= 0) {
            add_connection(sel, server, fd);
        } else if (fd == -EMFILE) {
            note(server->verbose, "turned away: %s", sel_strerror(fd));
        } else if (fd != -ECONNABORTED) {
            if (fd != -EAGAIN)
                pause_accepting(sel, server, fd);
            return;
        }
    }
}

static void read_cb(sel_selector *sel, const sel_key *key, int mask)
{
    (void)mask;
    connection *conn = key->data;
    meter_turn(conn->server->meter);
    char data[READ_SIZE];
    ssize_t size = recv(conn->fd, data, sizeof data, 0);
    int error = size < 0 && !would_block() ? -errno : 0;
    if (size == 0)
        conn->ended = true;
    if (size > 0 && !conn->server->stopping) {
        note(conn->server->verbose, "%d: echoing %zd bytes", conn->fd, size);
        error = bytearray_extend(&conn->queue, data, (size_t)size);
        if (error == 0)
            error = send_queued(conn);
    }
    if (error < 0)
        hang_up(sel, conn, sel_strerror(error));
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
    meter_turn(conn->server->meter);
    int error = send_queued(conn);
    if (error < 0)
        hang_up(sel, conn, sel_strerror(error));
    else
        watch(sel, conn);
}

typedef void connection_function(sel_selector *sel, connection *conn);

/* Once the listener is gone, every key is a client's. */
static void each_connection(sel_selector *sel, connection_function *function)
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

/*
 * Let a client go once it has what is queued for it: it is sent our end, and what
 * it sends is read and dropped until it sends its own.
 */
static void finish(sel_selector *sel, connection *conn)
{
    if (conn->queue.size == 0 && is_settled(conn->fd))
        hang_up(sel, conn, "closed");
    else
        watch(sel, conn);
}

static void drop(sel_selector *sel, connection *conn)
{
    hang_up(sel, conn, "dropped");
}

static void time_is_up(sel_selector *sel, void *data)
{
    (void)data;
    sel_stop(sel);
}

static void stop_accepting(sel_selector *sel, echo_server *server)
{
    sel_unregister(sel, server->listener);
    close(server->listener);
    close(server->reserve);
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
    stop_accepting(sel, server);
    int error = sel_call_later(sel, FLUSH_SECONDS, time_is_up, NULL, NULL);
    if (error < 0 || server->clients == 0)
        sel_stop(sel);
    each_connection(sel, finish);
}

static void open_server(echo_server *server, int listener, meter *counts, bool verbose)
{
    *server = (echo_server){.listener = listener,
                            .reserve = open_reserve(),
                            .meter = counts,
                            .verbose = verbose};
    check(sel_open(SEL_BACKEND_DEFAULT, &server->sel), "open a selector");
    check(sel_register(server->sel, listener, SEL_EVENT_READ, accept_cb, server), "wait");
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
    pthread_t *threads = calloc((size_t)options.threads, sizeof *threads);
    if (servers == NULL || threads == NULL)
        fail(EXIT_FAILURE, "no memory for %d threads", options.threads);
    status *view = options.status ? status_open(options.threads) : NULL;
    open_server(&servers[0], open_listener(&options), status_meter(view, 0),
                options.verbose);
    for (int i = 1; i < options.threads; i++)
        open_server(&servers[i], open_sibling(servers[0].listener, &options),
                    status_meter(view, i), options.verbose);
    print_listening(servers[0].listener);
    check(status_start(view, servers[0].sel, servers[0].listener), "show a status");

    for (int i = 1; i < options.threads; i++)
        check(-pthread_create(&threads[i], NULL, serve, &servers[i]), "start a thread");
    serve(&servers[0]);
    for (int i = 1; i < options.threads; i++)
        pthread_join(threads[i], NULL);
    status_close(view);
    free(servers);
    free(threads);
    return EXIT_SUCCESS;
}
