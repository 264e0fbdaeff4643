/* SPDX-License-Identifier: MIT */
/*
 * An echo server around poll() itself. docs/twins/poll_loop.py is the same program in
 * Python, where select.poll() keeps the array that is kept here.
 *
 * fds[0 .. count) is what poll() watches, and connections[i] is the client of fds[i];
 * the listener and the stop descriptor are recognised by their own addresses.  There
 * is no limit of 1024 as in select(), but every call still hands over the whole array
 * and looks through it.
 *
 * The question and the answer are two fields, events and revents, so unlike
 * select()'s lists the question need not be written again each time.  POLLHUP and
 * POLLERR are reported whether asked for or not.  The timeout is in milliseconds.
 *
 * Two things echo_server does better, for which there is no room here: a signal ends
 * this loop at once, with what is queued unsent, and while the kernel has no room for
 * another client it spins.
 */
#include "kit/connection.h"
#include "kit/listen.h"
#include "kit/stop.h"

#include <selkie.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    READ_ONLY = POLLIN | POLLPRI | POLLHUP | POLLERR,
    READ_WRITE = READ_ONLY | POLLOUT,
    WRITE_ONLY = READ_WRITE & ~POLLIN,
};

typedef struct {
    struct pollfd *fds;
    connection **connections;
    size_t count, capacity;
    connection listener, stop;
    int reserve;
    bool verbose;
} poll_server;

/* select.poll().register(): false if memory has run out. */
static bool poll_register(poll_server *server, connection *conn, short events)
{
    if (server->count == server->capacity) {
        size_t capacity = 2 * server->capacity + 8;
        struct pollfd *fds = realloc(server->fds, capacity * sizeof *fds);
        if (fds != NULL)
            server->fds = fds;
        connection **connections =
            realloc(server->connections, capacity * sizeof *connections);
        if (connections != NULL)
            server->connections = connections;
        if (fds == NULL || connections == NULL)
            return false;
        server->capacity = capacity;
    }
    server->fds[server->count] = (struct pollfd){.fd = conn->fd, .events = events};
    server->connections[server->count++] = conn;
    return true;
}

/* The last entry takes its place, so walk through the array from its end. */
static void poll_unregister(poll_server *server, size_t i)
{
    server->count--;
    server->fds[i] = server->fds[server->count];
    server->connections[i] = server->connections[server->count];
}

static void hang_up(poll_server *server, size_t i, const char *why)
{
    connection *conn = server->connections[i];
    note(server->verbose, "%d: %s", conn->fd, why);
    poll_unregister(server, i);
    connection_close(conn);
    free(conn);
}

/* Modify what is asked for, or hang up if there is nothing more to do. */
static void watch(poll_server *server, size_t i)
{
    const connection *conn = server->connections[i];
    bool reads = connection_wants_read(conn), writes = connection_wants_write(conn);
    if (!reads && !writes)
        hang_up(server, i, "closed");
    else if (!reads)
        server->fds[i].events = WRITE_ONLY;
    else
        server->fds[i].events = writes ? READ_WRITE : READ_ONLY;
}

static void accept_connection(poll_server *server)
{
    int fd = accept_client(server->listener.fd, &server->reserve);
    if (fd < 0)
        return;
    connection *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        close(fd);
        return;
    }
    conn->fd = fd;
    if (!poll_register(server, conn, READ_ONLY)) {
        connection_close(conn);
        free(conn);
        return;
    }
    note(server->verbose, "%d: accepted", fd);
}

static ssize_t read_from(const poll_server *server, connection *conn)
{
    ssize_t size = connection_receive(conn);
    if (size > 0)
        note(server->verbose, "%d: received %zd bytes", conn->fd, size);
    return size;
}

static ssize_t write_to(const poll_server *server, connection *conn)
{
    ssize_t size = connection_send(conn);
    if (size > 0)
        note(server->verbose, "%d: sent %zd bytes", conn->fd, size);
    return size;
}

/* In this order: there may be something left to read before a hang-up. */
static void serve(poll_server *server, size_t i, int flags)
{
    connection *conn = server->connections[i];
    ssize_t result = 0;
    if (flags & POLLPRI)
        connection_take_urgent(conn, server->verbose);
    if (flags & POLLIN)
        result = read_from(server, conn);
    else if (flags & POLLERR)
        result = connection_error(conn);
    if (result >= 0 && flags & POLLOUT)
        result = write_to(server, conn);
    if (result < 0)
        hang_up(server, i, strerror((int)-result));
    else if ((flags & POLLHUP) && !(flags & POLLIN))
        hang_up(server, i, "hung up"); /* nobody is left to send to */
    else
        watch(server, i);
}

/* One line with the names of the flags that were reported. */
static void note_flags(const poll_server *server, const char *who, int flags)
{
    note(server->verbose, "%s%s%s%s%s%s", who, flags & POLLIN ? " POLLIN" : "",
         flags & POLLPRI ? " POLLPRI" : "", flags & POLLOUT ? " POLLOUT" : "",
         flags & POLLERR ? " POLLERR" : "", flags & POLLHUP ? " POLLHUP" : "");
}

/* Returns false if a signal has arrived. */
static bool serve_ready(poll_server *server)
{
    for (size_t i = server->count; i-- > 0;) {
        const connection *conn = server->connections[i];
        int flags = server->fds[i].revents;
        if (flags == 0)
            continue;
        if (conn == &server->stop)
            return false;
        bool is_listener = conn == &server->listener;
        note_flags(server, is_listener ? "listener:" : "client:", flags);
        if (is_listener)
            accept_connection(server);
        else
            serve(server, i, flags);
    }
    return true;
}

static int milliseconds(double seconds)
{
    return seconds == SEL_FOREVER ? -1 : (int)(seconds * 1000 + 0.999);
}

static void run(poll_server *server, double timeout)
{
    for (;;) {
        int ready = poll(server->fds, server->count, milliseconds(timeout));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready < 0)
            fail(EXIT_FAILURE, "cannot poll: %s", strerror(errno));
        if (ready == 0)
            puts("timed out");
        if (ready == 0 || !serve_ready(server))
            break;
    }
    flush_stdout();
}

int main(int argc, char **argv)
{
    server_options options = {
        .purpose = "Send every client back what it sends: one loop around poll().",
        .takes_timeout = true};
    parse_options(argc, argv, &options);
    poll_server server = {.listener = {.fd = open_listener(&options)},
                          .reserve = open_reserve(),
                          .stop = {.fd = open_stop()},
                          .verbose = options.verbose};
    if (!poll_register(&server, &server.stop, READ_ONLY) ||
        !poll_register(&server, &server.listener, READ_ONLY))
        fail(EXIT_FAILURE, "no memory");
    print_listening(server.listener.fd);

    run(&server, options.timeout);

    while (server.count > 2)
        hang_up(&server, server.count - 1, "dropped");
    free(server.fds);
    free(server.connections);
    return EXIT_SUCCESS;
}
