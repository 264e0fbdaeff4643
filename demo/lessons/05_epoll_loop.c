/* SPDX-License-Identifier: MIT */
/*
 * An echo server around epoll itself: create, ctl, wait.  docs/twins/epoll_loop.py
 * is the same program in Python.
 *
 * select() and poll() are told everything at every call, and the kernel looks at all
 * of it.  epoll keeps what it is told: epoll_ctl() adds a descriptor once, the kernel
 * hooks itself into that file's wait queue, and what becomes ready puts itself on a
 * list.  epoll_wait() copies out what is on the list and looks at nothing else.
 * (select() came with 4.2BSD in 1983, poll() with System V Release 3 in 1986, epoll
 * with Linux 2.6.)
 *
 * The answer carries a word of ours, data, so no table is needed to find who a
 * descriptor belongs to: here it is the connection's address.  A connection is freed
 * only after the event that names it, and no batch names one twice.
 *
 * Two things echo_server does better, for which there is no room here: a signal ends
 * this loop at once, with what is queued unsent, and while the kernel has no room
 * for another client it spins.
 */
#include "kit/bytearray.h"
#include "kit/listen.h"
#include "kit/stop.h"

#include <selkie.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_ONLY = EPOLLIN | EPOLLPRI, /* EPOLLHUP and EPOLLERR come unasked */
    READ_WRITE = READ_ONLY | EPOLLOUT,
    WRITE_ONLY = EPOLLPRI | EPOLLOUT,
    READ_SIZE = 16 * 1024,
    HIGH_WATER = 64 * 1024, /* no reading from who has so much queued */
    BATCH_SIZE = 64, /* answers for one epoll_wait(); what is left comes next time */
};

typedef struct connection connection;
struct connection {
    int fd;
    int asked;  /* what the kernel was told last */
    bool ended; /* it has sent its last byte */
    bytearray message_queue;
    connection *before, *after; /* all of them, for the end */
};

typedef struct {
    int epoll;
    connection listener, stop; /* data words need something to point to */
    connection all;            /* the ring's anchor */
    int reserve;
    bool verbose;
} epoll_server;

static int control(epoll_server *server, int operation, connection *conn, int events)
{
    struct epoll_event event = {.events = (uint32_t)events, .data = {.ptr = conn}};
    conn->asked = events;
    return epoll_ctl(server->epoll, operation, conn->fd, &event) < 0 ? -errno : 0;
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static void hang_up(epoll_server *server, connection *conn, const char *why)
{
    note(server->verbose, "%d: %s", conn->fd, why);
    control(server, EPOLL_CTL_DEL, conn, 0);
    close(conn->fd);
    bytearray_clear(&conn->message_queue);
    conn->before->after = conn->after;
    conn->after->before = conn->before;
    free(conn);
}

/* Modify what is asked for, or hang up if there is nothing more to do. */
static void watch(epoll_server *server, connection *conn)
{
    size_t queued = conn->message_queue.size;
    int events = queued > 0 ? READ_WRITE : READ_ONLY;
    if (queued == 0 && conn->ended) {
        hang_up(server, conn, "closed");
        return;
    }
    if (conn->ended || queued >= HIGH_WATER)
        events = WRITE_ONLY;
    if (events != conn->asked) /* every change is a system call */
        control(server, EPOLL_CTL_MOD, conn, events);
}

static void accept_connection(epoll_server *server)
{
    int fd = accept_client(server->listener.fd, &server->reserve);
    if (fd < 0)
        return;
    connection *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        close(fd);
        return;
    }
    *conn = (connection){.fd = fd, .before = &server->all, .after = server->all.after};
    conn->before->after = conn;
    conn->after->before = conn;
    note(server->verbose, "%d: accepted", fd);
    int error = control(server, EPOLL_CTL_ADD, conn, READ_ONLY);
    if (error < 0)
        hang_up(server, conn, strerror(-error));
}

static void take_urgent(epoll_server *server, connection *conn)
{
    char byte; /* no part of the stream and not echoed */
    if (recv(conn->fd, &byte, 1, MSG_OOB) == 1)
        note(server->verbose, "%d: an urgent byte", conn->fd);
}

/* Returns 0 or a negative errno, as write_to() does. */
static int read_from(epoll_server *server, connection *conn)
{
    char data[READ_SIZE];
    ssize_t size = recv(conn->fd, data, sizeof data, 0);
    if (size < 0)
        return would_block() ? 0 : -errno;
    if (size == 0) {
        conn->ended = true;
        return 0;
    }
    note(server->verbose, "%d: received %zd bytes", conn->fd, size);
    return bytearray_extend(&conn->message_queue, data, (size_t)size);
}

static int write_to(epoll_server *server, connection *conn)
{
    bytearray *queue = &conn->message_queue;
    ssize_t sent = send(conn->fd, bytearray_bytes(queue), queue->size, MSG_NOSIGNAL);
    if (sent < 0)
        return would_block() ? 0 : -errno;
    note(server->verbose, "%d: sent %zd bytes", conn->fd, sent);
    bytearray_remove(queue, (size_t)sent);
    return 0;
}

/* What the connection failed of; asking clears it. */
static int pending_error(const connection *conn)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return -error;
}

/* In this order: there may be something left to read behind a hang-up. */
static void serve(epoll_server *server, connection *conn, uint32_t flags)
{
    int error = 0;
    if (flags & EPOLLPRI)
        take_urgent(server, conn);
    if (flags & EPOLLIN)
        error = read_from(server, conn);
    else if (flags & EPOLLERR)
        error = pending_error(conn);
    if (error == 0 && (flags & EPOLLOUT) && conn->message_queue.size > 0)
        error = write_to(server, conn);
    if (error < 0)
        hang_up(server, conn, strerror(-error));
    else if ((flags & EPOLLHUP) && !(flags & EPOLLIN))
        hang_up(server, conn, "hung up"); /* nobody is left to send to */
    else
        watch(server, conn);
}

/* One line of the names of the flags that came. */
static void note_flags(const epoll_server *server, const char *who, uint32_t flags)
{
    note(server->verbose, "%s%s%s%s%s%s", who, flags & EPOLLIN ? " EPOLLIN" : "",
         flags & EPOLLPRI ? " EPOLLPRI" : "", flags & EPOLLOUT ? " EPOLLOUT" : "",
         flags & EPOLLERR ? " EPOLLERR" : "", flags & EPOLLHUP ? " EPOLLHUP" : "");
}

/* Returns false when a signal has come. */
static bool serve_ready(epoll_server *server, const struct epoll_event *ready, int count)
{
    for (int i = 0; i < count; i++) {
        connection *conn = ready[i].data.ptr;
        if (conn == &server->stop)
            return false;
        bool is_listener = conn == &server->listener;
        note_flags(server, is_listener ? "listener:" : "client:", ready[i].events);
        if (is_listener)
            accept_connection(server);
        else
            serve(server, conn, ready[i].events);
    }
    return true;
}

static void run(epoll_server *server, double timeout)
{
    struct epoll_event ready[BATCH_SIZE];
    int milliseconds = timeout == SEL_FOREVER ? -1 : (int)(timeout * 1000 + 0.999);
    int count;
    do {
        count = epoll_wait(server->epoll, ready, BATCH_SIZE, milliseconds);
        if (count < 0 && errno != EINTR)
            fail(EXIT_FAILURE, "cannot wait: %s", strerror(errno));
        if (count == 0)
            puts("timed out");
    } while (count != 0 && serve_ready(server, ready, count));
    flush_stdout();
}

int main(int argc, char **argv)
{
    server_options options = {
        .purpose = "Send every client back what it sends: one loop around epoll.",
        .takes_timeout = true};
    parse_options(argc, argv, &options);
    epoll_server server = {.listener = {.fd = open_listener(&options)},
                           .reserve = open_reserve(),
                           .stop = {.fd = open_stop()},
                           .verbose = options.verbose};
    server.all = (connection){.before = &server.all, .after = &server.all};
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (server.epoll < 0 ||
        control(&server, EPOLL_CTL_ADD, &server.stop, READ_ONLY) < 0 ||
        control(&server, EPOLL_CTL_ADD, &server.listener, READ_ONLY) < 0)
        fail(EXIT_FAILURE, "cannot make an epoll: %s", strerror(errno));
    print_listening(server.listener.fd);

    run(&server, options.timeout);

    while (server.all.after != &server.all)
        hang_up(&server, server.all.after, "dropped");
    close(server.epoll);
    return EXIT_SUCCESS;
}
