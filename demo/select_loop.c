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
 * sel_compat_select() goes on waiting after a signal, so signals (and the time
 * limits) come from a selector, which is a descriptor in `inputs` as any other.
 */
#include "kit/connection.h"
#include "kit/listen.h"

#include <selkie.h>

#include <signal.h>
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
    int listener;
    int reserve;
    sel_selector *signals;
    bool verbose;
    bool stopping;
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

/* Nothing left to select on: the loop ends. */
static void end(select_server *server)
{
    server->inputs.count = 0;
    server->outputs.count = 0;
}

static void hang_up(select_server *server, int fd, const char *why)
{
    note(server->verbose, "%d: %s", fd, why);
    list_set(&server->inputs, fd, false);
    list_set(&server->outputs, fd, false);
    server->is_client[fd] = false;
    connection_close(&server->connections[fd]);
    if (--server->clients == 0 && server->stopping)
        end(server);
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

static void resume_accepting(sel_selector *sel, void *data)
{
    (void)sel;
    select_server *server = data;
    if (!server->stopping)
        list_set(&server->inputs, server->listener, true);
}

static void pause_accepting(select_server *server)
{
    int failed = sel_call_later(server->signals, PAUSE_SECONDS, resume_accepting, server,
                                NULL);
    if (failed == 0)
        list_set(&server->inputs, server->listener, false);
}

static void accept_connections(select_server *server)
{
    int error = accept_clients(server->listener, &server->reserve, add_connection, server,
                               server->verbose);
    if (error < 0)
        pause_accepting(server);
}

static void read_from(select_server *server, int fd)
{
    if (!server->is_client[fd]) /* the selector: what it has is for sel_dispatch() */
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

static void time_is_up(sel_selector *sel, void *data)
{
    (void)sel;
    end(data);
}

/* SIGINT, SIGTERM: serve no more, but send what is queued.  The second time: end. */
static void stop(sel_selector *sel, void *data)
{
    select_server *server = data;
    if (server->stopping) {
        end(server);
        return;
    }
    server->stopping = true;
    list_set(&server->inputs, server->listener, false);
    close(server->listener);
    close(server->reserve);
    int error = sel_call_later(sel, FLUSH_SECONDS, time_is_up, server, NULL);
    if (error < 0 || server->clients == 0)
        end(server);
    for (int fd = 0; fd < FD_SETSIZE; fd++)
        if (server->is_client[fd])
            finish(server, fd);
}

/*
 * Look for signals and timers that want their handlers called; returns how long
 * select() may wait before the next look.  The look comes right before select(),
 * because it is what makes the selector's descriptor tell.
 */
static double look(sel_selector *signals)
{
    int error = sel_select(signals, 0, NULL);
    if (error < 0)
        fail(EXIT_FAILURE, "cannot watch signals: %s", sel_strerror(error));
    return sel_get_timeout(signals);
}

static void serve(select_server *server, double timeout)
{
    fd_list *inputs = &server->inputs, *outputs = &server->outputs;
    fd_list readable, writable, exceptional;

    while (inputs->count > 0 || outputs->count > 0) {
        double next_look = look(server->signals);
        int ready = sel_compat_select(
            inputs->fds, inputs->count, readable.fds, &readable.count,
            outputs->fds, outputs->count, writable.fds, &writable.count,
            inputs->fds, inputs->count, exceptional.fds, &exceptional.count,
            timeout < next_look ? timeout : next_look);
        if (ready < 0)
            fail(EXIT_FAILURE, "cannot select: %s", sel_strerror(ready));
        if (ready == 0 && timeout < next_look) {
            puts("timed out");
            flush_stdout();
            return;
        }
        for (size_t i = 0; i < readable.count; i++) {
            if (readable.fds[i] == server->listener)
                accept_connections(server);
            else
                read_from(server, readable.fds[i]);
        }
        for (size_t i = 0; i < writable.count; i++)
            write_to(server, writable.fds[i]);
        for (size_t i = 0; i < exceptional.count; i++)
            take_urgent(server, exceptional.fds[i]);
        sel_dispatch(server->signals);
    }
}

static void watch_signals(select_server *server)
{
    int error = sel_open(SEL_BACKEND_EPOLL, &server->signals);
    if (error == 0)
        error = sel_add_signal_handler(server->signals, SIGINT, stop, server);
    if (error == 0)
        error = sel_add_signal_handler(server->signals, SIGTERM, stop, server);
    if (error == 0)
        error = sel_fileno(server->signals);
    if (error < 0)
        fail(EXIT_FAILURE, "cannot watch signals: %s", sel_strerror(error));
    list_set(&server->inputs, sel_fileno(server->signals), true);
}

int main(int argc, char **argv)
{
    server_options options = {
        .purpose = "Send every client back what it sends: one loop around select().",
        .takes_timeout = true};
    parse_options(argc, argv, &options);
    select_server server = {.listener = open_listener(&options),
                            .reserve = open_reserve(),
                            .verbose = options.verbose};
    list_set(&server.inputs, server.listener, true);
    watch_signals(&server);
    print_listening(server.listener);

    serve(&server, options.timeout);

    for (int fd = 0; fd < FD_SETSIZE; fd++)
        if (server.is_client[fd])
            hang_up(&server, fd, "dropped");
    sel_close(server.signals);
    return EXIT_SUCCESS;
}
