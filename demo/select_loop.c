/* SPDX-License-Identifier: MIT */
/*
 * An echo server around select() itself: three lists in, three lists out, as the
 * oldest Python examples have it.  docs/twins/select_loop.py is the same program
 * with select.select(), and any client gets the same answers from echo_server.
 *
 * A connection is in `inputs` while it may send more and in `outputs` while
 * something is queued for it; it is in at least one of them until it is closed.
 * Every pass hands both lists to the kernel and every pass looks through them:
 * that is what select() costs, and why it stops at FD_SETSIZE descriptors.
 *
 * sel_compat_select() goes on waiting after a signal, so signals come from a descriptor
 * that is in `inputs` as any other.
 */
#include "kit/connection.h"
#include "kit/listen.h"
#include "kit/stop.h"

#include <selkie.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <unistd.h>

enum { FLUSH_SECONDS = 3 }; /* how long a client may take to read when the server stops */

typedef struct {
    int fds[FD_SETSIZE];
    size_t count;
} fd_list;

typedef struct {
    fd_list inputs;
    fd_list outputs;
    bool is_client[FD_SETSIZE];         /* by descriptor */
    connection connections[FD_SETSIZE]; /* of those */
    int clients;
    int listener, reserve, stop;
    double deadline; /* of a pause in accepting or of stopping, by sel_time(NULL) */
    bool verbose, running, stopping;
} select_server;

/* Put fd into the list if it is wanted there, else take it out. */
static void list_set(fd_list *list, int fd, bool wanted)
{
    size_t i = 0;
    while (i < list->count && list->fds[i] != fd)
        i++;
    bool found = i < list->count;
    if (wanted && !found)
        list->fds[list->count++] = fd;
    if (!wanted && found)
        list->fds[i] = list->fds[--list->count];
}

static void hang_up(select_server *server, int fd, const char *why)
{
    note(server->verbose, "%d: %s", fd, why);
    list_set(&server->inputs, fd, false);
    list_set(&server->outputs, fd, false);
    server->is_client[fd] = false;
    connection_close(&server->connections[fd]);
    if (--server->clients == 0 && server->stopping)
        server->running = false;
}

/* Put the connection into the lists it belongs in, or hang up if there is none. */
static void watch(select_server *server, int fd)
{
    const connection *conn = &server->connections[fd];
    bool reads = connection_wants_read(conn), writes = connection_wants_write(conn);
    list_set(&server->inputs, fd, reads);
    list_set(&server->outputs, fd, writes);
    if (!reads && !writes)
        hang_up(server, fd, "closed");
}

static void add_connection(void *data, int fd)
{
    select_server *server = data;
    if (fd >= FD_SETSIZE) {
        note(server->verbose, "%d: turned away: select() ends at %d", fd, FD_SETSIZE);
        close(fd);
        return;
    }
    note(server->verbose, "%d: accepted", fd);
    server->is_client[fd] = true;
    server->connections[fd] = (connection){.fd = fd};
    server->clients++;
    watch(server, fd);
}

static void accept_connections(select_server *server)
{
    int error = accept_clients(server->listener, &server->reserve, add_connection, server,
                               server->verbose);
    if (error < 0) { /* nobody can be accepted for a while */
        list_set(&server->inputs, server->listener, false);
        server->deadline = sel_time(NULL) + PAUSE_SECONDS;
    }
}

static void read_from(select_server *server, int fd)
{
    if (!server->is_client[fd]) /* closed in this pass */
        return;
    ssize_t size = connection_receive(&server->connections[fd]);
    if (size > 0)
        note(server->verbose, "%d: echoing %zd bytes", fd, size);
    if (size < 0)
        hang_up(server, fd, sel_strerror((int)size));
    else
        watch(server, fd);
}

static void write_to(select_server *server, int fd)
{
    connection *conn = &server->connections[fd];
    if (!server->is_client[fd] || !connection_wants_write(conn))
        return;
    ssize_t sent = connection_send(conn);
    if (sent < 0)
        hang_up(server, fd, sel_strerror((int)sent));
    else
        watch(server, fd);
}

/* Exceptional means an urgent byte. */
static void take_urgent(const select_server *server, int fd)
{
    if (server->is_client[fd])
        connection_take_urgent(&server->connections[fd], server->verbose);
}

static void finish(select_server *server, int fd)
{
    if (connection_leave(&server->connections[fd]))
        watch(server, fd);
    else
        hang_up(server, fd, "closed");
}

/* SIGINT, SIGTERM: serve no more, but send what is queued.  The second time: end. */
static void stop(select_server *server)
{
    take_stop(server->stop);
    if (server->stopping || server->clients == 0) {
        server->running = false;
        return;
    }
    server->stopping = true;
    server->deadline = sel_time(NULL) + FLUSH_SECONDS;
    list_set(&server->inputs, server->listener, false);
    close(server->listener);
    close(server->reserve);
    server->listener = -1; /* it may still be on a list of this pass */
    for (int fd = 0; fd < FD_SETSIZE; fd++)
        if (server->is_client[fd])
            finish(server, fd);
}

static void time_is_up(select_server *server)
{
    server->deadline = SEL_FOREVER;
    if (server->stopping)
        server->running = false;
    else
        list_set(&server->inputs, server->listener, true);
}

static void serve(select_server *server, double timeout)
{
    fd_list *inputs = &server->inputs, *outputs = &server->outputs;
    fd_list readable, writable, exceptional;

    while (server->running) {
        double left = server->deadline - sel_time(NULL);
        int ready = sel_compat_select(
            inputs->fds, inputs->count, readable.fds, &readable.count,
            outputs->fds, outputs->count, writable.fds, &writable.count,
            inputs->fds, inputs->count, exceptional.fds, &exceptional.count,
            timeout < left ? timeout : left);
        if (ready < 0)
            fail(EXIT_FAILURE, "cannot select: %s", sel_strerror(ready));
        if (ready == 0 && timeout < left) {
            puts("timed out");
            flush_stdout();
            return;
        }
        for (size_t i = 0; i < readable.count; i++) {
            if (readable.fds[i] == server->listener)
                accept_connections(server);
            else if (readable.fds[i] == server->stop)
                stop(server);
            else
                read_from(server, readable.fds[i]);
        }
        for (size_t i = 0; i < writable.count; i++)
            write_to(server, writable.fds[i]);
        for (size_t i = 0; i < exceptional.count; i++)
            take_urgent(server, exceptional.fds[i]);
        if (sel_time(NULL) >= server->deadline)
            time_is_up(server);
    }
}

int main(int argc, char **argv)
{
    server_options options = {
        .purpose = "Send every client back what it sends: one loop around select().",
        .takes_timeout = true};
    parse_options(argc, argv, &options);
    select_server server = {.listener = open_listener(&options),
                            .reserve = open_reserve(),
                            .stop = open_stop(),
                            .deadline = SEL_FOREVER,
                            .verbose = options.verbose,
                            .running = true};
    list_set(&server.inputs, server.listener, true);
    list_set(&server.inputs, server.stop, true);
    print_listening(server.listener);

    serve(&server, options.timeout);

    for (int fd = 0; fd < FD_SETSIZE; fd++)
        if (server.is_client[fd])
            hang_up(&server, fd, "dropped");
    return EXIT_SUCCESS;
}
