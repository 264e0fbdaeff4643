/* SPDX-License-Identifier: MIT */
/*
 * An echo server on any of the event loops, as small as a server can be that is
 * right: what is read is sent back at once, and what the socket does not take
 * ends the program, because no client here sends more than one message ahead.
 *
 *   bench_server CONTENDER [toggle]
 *
 * With `toggle` an exchange is READ, then READ and WRITE, then, when the answer
 * was sent, READ again: what a server does whose answers have to wait.
 *
 * It prints its port and serves until its standard input ends.
 */
#include "bench.h"
#include "contenders.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LIMIT = 20000, BACKLOG = 4096, MESSAGE = 4096 };

static struct {
    const event_loop *contender;
    void *loop;
    bool toggles;
    bool ended;
} server;

typedef struct {
    watcher watch;
    char message[MESSAGE];
    size_t length; /* of the answer that waits to be sent */
} connection;

static void hang_up(connection *conn)
{
    server.contender->remove(server.loop, &conn->watch);
    close(conn->watch.fd);
    free(conn);
}

static void answer(connection *conn)
{
    if (send(conn->watch.fd, conn->message, conn->length, MSG_NOSIGNAL) !=
        (ssize_t)conn->length)
        fail("send: %s", strerror(errno));
    conn->length = 0;
}

static void on_message(connection *conn)
{
    ssize_t got = recv(conn->watch.fd, conn->message, sizeof conn->message, 0);

    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            hang_up(conn);
        return;
    }
    conn->length = (size_t)got;
    if (server.toggles)
        server.contender->change(server.loop, &conn->watch, WATCH_READ | WATCH_WRITE);
    else
        answer(conn);
}

static void on_connection(watcher *watch, int events)
{
    connection *conn = (connection *)watch;

    if ((events & WATCH_WRITE) && conn->length > 0) {
        answer(conn);
        server.contender->change(server.loop, watch, WATCH_READ);
    } else if (events & WATCH_READ) {
        on_message(conn);
    }
}

static void on_listener(watcher *listener, int events)
{
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    connection *conn;

    (void)events;
    if (fd < 0)
        return;
    conn = allocate(1, sizeof *conn);
    conn->watch.fd = fd;
    conn->watch.ready = on_connection;
    server.contender->add(server.loop, &conn->watch, WATCH_READ);
}

static void on_end(watcher *input, int events)
{
    (void)input;
    (void)events;
    server.ended = true;
}

static int listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 ||
        listen(fd, BACKLOG) < 0 || getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        fail("listen: %s", strerror(errno));
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    watcher listener = {.ready = on_listener};
    watcher input = {.fd = STDIN_FILENO, .ready = on_end};
    int limit = LIMIT;

    server.contender = argc == 2 || argc == 3 ? find_contender(argv[1]) : NULL;
    if (server.contender == NULL || (argc == 3 && strcmp(argv[2], "toggle") != 0))
        fail("usage: bench_server CONTENDER [toggle]");
    server.toggles = argc == 3;
    if (strstr(argv[1], "select") != NULL)
        limit = 1024;
    else
        raise_descriptor_limit(limit - 200);
    server.loop = server.contender->open(limit);
    listener.fd = listen_anywhere();
    server.contender->add(server.loop, &input, WATCH_READ);
    server.contender->add(server.loop, &listener, WATCH_READ);
    while (!server.ended)
        server.contender->wait(server.loop, 1e9);
    return EXIT_SUCCESS;
}
