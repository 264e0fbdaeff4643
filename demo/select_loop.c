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
#include "kit/bytearray.h"
#include "kit/listen.h"

#include <selkie.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
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
    int fds[FD_SETSIZE];
    size_t count;
} fd_list;

typedef struct {
    bool open;
    bool ended; /* it has sent its last byte */
    bytearray message_queue;
} connection;

typedef struct {
    fd_list inputs;
    fd_list outputs;
    connection connections[FD_SETSIZE]; /* by descriptor */
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

static bool would_block(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* Nothing left to select on: the loop ends. */
static void end(select_server *server)
{
    server->inputs.count = 0;
    server->outputs.count = 0;
}

static void hang_up(select_server *server, int fd, const char *why)
{
    connection *conn = &server->connections[fd];
    note(server->verbose, "%d: %s", fd, why);
    list_set(&server->inputs, fd, false);
    list_set(&server->outputs, fd, false);
    bytearray_clear(&conn->message_queue);
    conn->open = false;
    close(fd);
    if (--server->clients == 0 && server->stopping)
        end(server);
}

/* Put the connection into the lists it belongs in, or hang up if there is none. */
static void watch(select_server *server, int fd)
{
    connection *conn = &server->connections[fd];
    size_t queued = conn->message_queue.size;
    if (queued == 0 && conn->ended) {
        hang_up(server, fd, "closed");
        return;
    }
    if (queued == 0 && server->stopping)
        shutdown(fd, SHUT_WR);
    bool room = queued < HIGH_WATER || server->stopping;
    list_set(&server->inputs, fd, !conn->ended && room);
    list_set(&server->outputs, fd, queued > 0);
}

static void add_connection(select_server *server, int fd)
{
    if (fd >= FD_SETSIZE) {
        note(server->verbose, "%d: turned away: select() ends at %d", fd, FD_SETSIZE);
        close(fd);
        return;
    }
    note(server->verbose, "%d: accepted", fd);
    server->connections[fd] = (connection){.open = true};
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

/* A listener that is readable but not accepted from would keep the loop spinning. */
static void pause_accepting(select_server *server, int error)
{
    note(server->verbose, "cannot accept for now: %s", sel_strerror(error));
    int failed = sel_call_later(server->signals, PAUSE_SECONDS, resume_accepting, server,
                                NULL);
    if (failed == 0)
        list_set(&server->inputs, server->listener, false);
}

static void accept_clients(select_server *server)
{
    for (int i = 0; i < ACCEPTS_PER_PASS; i++) {
        int fd = accept_client(server->listener, &server->reserve);
        if (fd >= 0) {
            add_connection(server, fd);
        } else if (fd == -EMFILE) {
            note(server->verbose, "turned away: %s", sel_strerror(fd));
        } else if (fd != -ECONNABORTED) {
            if (fd != -EAGAIN)
                pause_accepting(server, fd);
            return;
        }
    }
}

static void read_from(select_server *server, int fd)
{
    connection *conn = &server->connections[fd];
    if (!conn->open) /* the selector: what it has is for sel_dispatch() */
        return;
    char data[READ_SIZE];
    ssize_t size = recv(fd, data, sizeof data, 0);
    int error = size < 0 && !would_block() ? -errno : 0;
    if (size == 0)
        conn->ended = true;
    if (size > 0 && !server->stopping) {
        note(server->verbose, "%d: echoing %zd bytes", fd, size);
        error = bytearray_extend(&conn->message_queue, data, (size_t)size);
    }
    if (error < 0)
        hang_up(server, fd, sel_strerror(error));
    else
        watch(server, fd);
}

static void write_to(select_server *server, int fd)
{
    connection *conn = &server->connections[fd];
    bytearray *queue = &conn->message_queue;
    if (!conn->open || queue->size == 0)
        return;
    ssize_t sent = send(fd, bytearray_bytes(queue), queue->size, MSG_NOSIGNAL);
    if (sent > 0)
        bytearray_remove(queue, (size_t)sent);
    if (sent < 0 && !would_block())
        hang_up(server, fd, sel_strerror(errno));
    else
        watch(server, fd);
}

/* Exceptional means an urgent byte; it is no part of the stream and not echoed. */
static void take_urgent(select_server *server, int fd)
{
    char byte;
    if (server->connections[fd].open && recv(fd, &byte, 1, MSG_OOB) == 1)
        note(server->verbose, "%d: an urgent byte", fd);
}

/*
 * Let a client go once it has what is queued for it: it is sent our end, and what
 * it sends is read and dropped until it sends its own.
 */
static void finish(select_server *server, int fd)
{
    if (server->connections[fd].message_queue.size == 0 && is_settled(fd))
        hang_up(server, fd, "closed");
    else
        watch(server, fd);
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
        if (server->connections[fd].open)
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
                accept_clients(server);
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
        if (server.connections[fd].open)
            hang_up(&server, fd, "dropped");
    sel_close(server.signals);
    return EXIT_SUCCESS;
}
