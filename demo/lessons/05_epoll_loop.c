/* SPDX-License-Identifier: MIT */
/*
 * An echo server around epoll itself: create, ctl, wait. docs/twins/epoll_loop.py is
 * the same program in Python.
 *
 * select() and poll() are passed everything in every call, and the kernel looks at
 * all of it. epoll remembers: epoll_ctl() adds a descriptor once, the kernel hooks
 * itself into that file's wait queue, and whatever becomes ready puts itself on a
 * list. epoll_wait() copies out what is on the list and looks at nothing else.
 * (select() came with 4.2BSD in 1983, poll() with System V Release 3 in 1986, epoll
 * with Linux 2.6.)
 *
 * Each event carries a word of ours, data, so no table is needed to find the owner of
 * a descriptor: here it is the client's address.  A client is freed only after the
 * event that names it, and no batch names one twice.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    READ_ONLY = EPOLLIN | EPOLLPRI, /* EPOLLHUP and EPOLLERR come unasked */
    READ_WRITE = READ_ONLY | EPOLLOUT,
    WRITE_ONLY = EPOLLPRI | EPOLLOUT,
    BATCH_SIZE = 64, /* events per epoll_wait(); the rest comes next time */
};

typedef struct client client;
struct client {
    connection conn;
    int asked;              /* what the kernel was last told */
    client *before, *after; /* all of them, for the end */
};

typedef struct {
    int epoll;
    client listener, stop; /* so that data has something to point to */
    client all;            /* the ring's anchor */
    int reserve;
    bool verbose;
} epoll_server;

static int control(epoll_server *server, int operation, client *who, int events)
{
    struct epoll_event event = {.events = (uint32_t)events, .data = {.ptr = who}};
    who->asked = events;
    return epoll_ctl(server->epoll, operation, who->conn.fd, &event) < 0 ? -errno : 0;
}

static void hang_up(epoll_server *server, client *who, const char *why)
{
    note(server->verbose, "%d: %s", who->conn.fd, why);
    control(server, EPOLL_CTL_DEL, who, 0);
    connection_close(&who->conn);
    who->before->after = who->after;
    who->after->before = who->before;
    free(who);
}

/* Modify what is asked for, or hang up if there is nothing more to do. */
static void watch(epoll_server *server, client *who)
{
    bool reads = connection_wants_read(&who->conn);
    bool writes = connection_wants_write(&who->conn);
    int events = writes ? READ_WRITE : READ_ONLY;
    if (!reads && !writes) {
        hang_up(server, who, "closed");
        return;
    }
    if (!reads)
        events = WRITE_ONLY;
    if (events != who->asked) /* every change is a system call */
        control(server, EPOLL_CTL_MOD, who, events);
}

static void accept_connection(epoll_server *server)
{
    int fd = accept_client(server->listener.conn.fd, &server->reserve);
    if (fd < 0)
        return;
    client *who = calloc(1, sizeof *who);
    if (who == NULL) {
        close(fd);
        return;
    }
    *who = (client){.conn.fd = fd, .before = &server->all, .after = server->all.after};
    who->before->after = who;
    who->after->before = who;
    note(server->verbose, "%d: accepted", fd);
    int error = control(server, EPOLL_CTL_ADD, who, READ_ONLY);
    if (error < 0)
        hang_up(server, who, strerror(-error));
}

static ssize_t read_from(const epoll_server *server, connection *conn)
{
    ssize_t size = connection_receive(conn);
    if (size > 0)
        note(server->verbose, "%d: received %zd bytes", conn->fd, size);
    return size;
}

static ssize_t write_to(const epoll_server *server, connection *conn)
{
    ssize_t size = connection_send(conn);
    if (size > 0)
        note(server->verbose, "%d: sent %zd bytes", conn->fd, size);
    return size;
}

/* In this order: there may be something left to read before a hang-up. */
static void serve(epoll_server *server, client *who, uint32_t flags)
{
    connection *conn = &who->conn;
    ssize_t result = 0;
    if (flags & EPOLLPRI)
        connection_take_urgent(conn, server->verbose);
    if (flags & EPOLLIN)
        result = read_from(server, conn);
    else if (flags & EPOLLERR)
        result = connection_error(conn);
    if (result >= 0 && flags & EPOLLOUT)
        result = write_to(server, conn);
    if (result < 0)
        hang_up(server, who, strerror((int)-result));
    else if ((flags & EPOLLHUP) && !(flags & EPOLLIN))
        hang_up(server, who, "hung up"); /* nobody is left to send to */
    else
        watch(server, who);
}

/* One line with the names of the flags that were reported. */
static void note_flags(const epoll_server *server, const char *who, uint32_t flags)
{
    note(server->verbose, "%s%s%s%s%s%s", who, flags & EPOLLIN ? " EPOLLIN" : "",
         flags & EPOLLPRI ? " EPOLLPRI" : "", flags & EPOLLOUT ? " EPOLLOUT" : "",
         flags & EPOLLERR ? " EPOLLERR" : "", flags & EPOLLHUP ? " EPOLLHUP" : "");
}

/* Returns false if a signal has arrived. */
static bool serve_ready(epoll_server *server, const struct epoll_event *ready, int count)
{
    for (int i = 0; i < count; i++) {
        client *who = ready[i].data.ptr;
        if (who == &server->stop)
            return false;
        bool is_listener = who == &server->listener;
        note_flags(server, is_listener ? "listener:" : "client:", ready[i].events);
        if (is_listener)
            accept_connection(server);
        else
            serve(server, who, ready[i].events);
    }
    return true;
}

static void run(epoll_server *server, double timeout)
{
    struct epoll_event ready[BATCH_SIZE];
    int milliseconds = timeout == SEL_FOREVER ? -1 : (int)(timeout * 1000 + 0.999);
    for (;;) {
        int count = epoll_wait(server->epoll, ready, BATCH_SIZE, milliseconds);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            fail(EXIT_FAILURE, "cannot wait: %s", strerror(errno));
        if (count == 0)
            puts("timed out");
        if (count == 0 || !serve_ready(server, ready, count))
            break;
    }
    flush_stdout();
}

int main(int argc, char **argv)
{
    server_options options = {
        .purpose = "Send every client back what it sends: one loop around epoll.",
        .takes_timeout = true};
    parse_options(argc, argv, &options);
    epoll_server server = {.listener = {.conn.fd = open_listener(&options)},
                           .reserve = open_reserve(),
                           .stop = {.conn.fd = open_stop()},
                           .verbose = options.verbose};
    server.all = (client){.before = &server.all, .after = &server.all};
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (server.epoll < 0 ||
        control(&server, EPOLL_CTL_ADD, &server.stop, READ_ONLY) < 0 ||
        control(&server, EPOLL_CTL_ADD, &server.listener, READ_ONLY) < 0)
        fail(EXIT_FAILURE, "cannot make an epoll: %s", strerror(errno));
    print_listening(server.listener.conn.fd);

    run(&server, options.timeout);

    while (server.all.after != &server.all)
        hang_up(&server, server.all.after, "dropped");
    close(server.epoll);
    return EXIT_SUCCESS;
}
