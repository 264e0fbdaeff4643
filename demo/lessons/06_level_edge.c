/* SPDX-License-Identifier: MIT */
/*
 * Level-triggered or edge-triggered: what epoll reports about unread data, and what
 * that demands of a reader. docs/twins/level_edge.py is the same program in Python;
 * both print the same.
 *
 * Level-triggered is a state: reported for as long as there is something to read.
 * Edge-triggered is a change: reported when more has arrived.  So an edge-triggered
 * reader must read (accept, write) until EAGAIN, on a non-blocking descriptor; one
 * that takes only a part and then waits for the next event may wait for ever.
 */
#include "kit/command_line.h"
#include "kit/fail.h"
#include "kit/loopback.h"
#include "kit/tell.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    int epoll;
    int fd;   /* watched */
    int peer; /* what is written here comes out of fd */
} watched;

/* Returns 0 or a negative errno. */
static int control(const watched *w, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.fd = w->fd}};
    return epoll_ctl(w->epoll, operation, w->fd, &event) < 0 ? -errno : 0;
}

static watched watch_socket(int type, uint32_t events)
{
    int pair[2];
    open_pair(type | SOCK_NONBLOCK, pair);
    watched w = {epoll_create1(EPOLL_CLOEXEC), pair[0], pair[1]};
    checked(control(&w, EPOLL_CTL_ADD, events), "watch");
    return w;
}

static void end(watched w)
{
    close(w.epoll);
    close(w.fd);
    close(w.peer);
}

/* Ask once, without waiting, and print whether it is reported. */
static void ask(const watched *w, const char *when)
{
    struct epoll_event event;
    int count = epoll_wait(w->epoll, &event, 1, 0);
    checked(count, "wait");
    printf("  %s: %s\n", when, count > 0 ? "told" : "not told");
}

static void write_bytes(const watched *w, const char *bytes)
{
    checked((int)write(w->peer, bytes, strlen(bytes)), "write");
}

static void read_bytes(const watched *w, size_t size)
{
    char bytes[64];
    checked((int)read(w->fd, bytes, size), "read");
}

/* What an edge-triggered reader does at each event. */
static void read_until_eagain(const watched *w, size_t size)
{
    char bytes[64];
    int reads = 0;
    ssize_t total = 0, received;
    while (reads++, (received = read(w->fd, bytes, size)) > 0)
        total += received;
    printf("  %zd bytes in %d reads, the last: %s\n", total, reads,
           error_name(errno));
}

static void level(void)
{
    puts("level-triggered: a state");
    watched w = watch_socket(SOCK_STREAM, EPOLLIN);
    write_bytes(&w, "hello");
    ask(&w, "5 bytes have come");
    ask(&w, "nothing is read");
    read_bytes(&w, 2);
    ask(&w, "2 are read, 3 are left");
    read_bytes(&w, 3);
    ask(&w, "all are read");
    end(w);
}

static void edge(void)
{
    puts("edge-triggered: a change");
    watched w = watch_socket(SOCK_STREAM, EPOLLIN | EPOLLET);
    write_bytes(&w, "hello");
    ask(&w, "5 bytes have come");
    ask(&w, "nothing is read");
    read_bytes(&w, 2);
    ask(&w, "2 are read, 3 are left");
    write_bytes(&w, "!");
    ask(&w, "1 more has come");
    puts("what its reader must do");
    read_until_eagain(&w, 3);
    ask(&w, "all are read");
    write_bytes(&w, "again");
    ask(&w, "5 more have come");
    end(w);
}

static void poll_is_level(void)
{
    puts("poll(), as select(), knows no edges");
    watched w = watch_socket(SOCK_STREAM, 0);
    struct pollfd ready = {.fd = w.fd, .events = POLLIN};
    write_bytes(&w, "hello");
    printf("  5 bytes have come: %s\n", poll(&ready, 1, 0) > 0 ? "told" : "not told");
    printf("  nothing is read: %s\n", poll(&ready, 1, 0) > 0 ? "told" : "not told");
    end(w);
}

/* A reader that takes one message per event: it stays one behind. */
static void lost_message(void)
{
    puts("a message lost: edge-triggered, but one read each time");
    watched w = watch_socket(SOCK_SEQPACKET, EPOLLIN | EPOLLET);
    static const char *const messages[] = {"first", "second", "third"};
    char bytes[64];
    write_bytes(&w, messages[0]);
    write_bytes(&w, messages[1]);
    ask(&w, "the first and the second have come");
    printf("  read: %.*s\n", (int)read(w.fd, bytes, sizeof bytes), bytes);
    ask(&w, "the second is left");
    write_bytes(&w, messages[2]);
    ask(&w, "the third has come");
    printf("  read: %.*s\n", (int)read(w.fd, bytes, sizeof bytes), bytes);
    ask(&w, "the third is left");
    end(w);
}

/* The same with a listener; the kernel picks its name. */
static void lost_client(void)
{
    puts("a client lost: edge-triggered, but one accept each time");
    struct sockaddr_storage name = {.ss_family = AF_UNIX};
    socklen_t size = sizeof(sa_family_t);
    struct sockaddr *address = (struct sockaddr *)&name;
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    watched w = {epoll_create1(EPOLL_CLOEXEC), socket(AF_UNIX, type, 0), -1};
    checked(bind(w.fd, address, size), "bind");
    size = sizeof name;
    checked(getsockname(w.fd, address, &size), "find its name");
    checked(listen(w.fd, 5), "listen");
    checked(control(&w, EPOLL_CTL_ADD, EPOLLIN | EPOLLET), "watch");

    int clients[2], conns[2];
    for (int i = 0; i < 2; i++) {
        clients[i] = socket(AF_UNIX, type, 0);
        checked(connect(clients[i], address, size), "connect");
    }
    ask(&w, "two clients have come");
    conns[0] = accept(w.fd, NULL, NULL);
    ask(&w, "one is accepted");
    conns[1] = accept(w.fd, NULL, NULL);
    printf("  and yet the other was there: %s\n", yes_or_no(conns[1] >= 0));
    for (int i = 0; i < 2; i++) {
        close(clients[i]);
        close(conns[i]);
    }
    end(w);
}

static void writing(void)
{
    puts("writing, edge-triggered");
    watched w = watch_socket(SOCK_STREAM, EPOLLOUT | EPOLLET);
    char bytes[4096] = "";
    ask(&w, "there is room from the start");
    ask(&w, "nothing is written");
    while (write(w.fd, bytes, sizeof bytes) > 0)
        continue;
    ask(&w, "written until EAGAIN");
    while (read(w.peer, bytes, sizeof bytes) > 0)
        continue;
    ask(&w, "the peer has read");
    end(w);
}

static void oneshot(void)
{
    puts("ONESHOT: told once, then disarmed");
    watched w = watch_socket(SOCK_STREAM, EPOLLIN | EPOLLONESHOT);
    write_bytes(&w, "hello");
    ask(&w, "5 bytes have come");
    write_bytes(&w, "again");
    ask(&w, "5 more have come");
    int error = control(&w, EPOLL_CTL_ADD, EPOLLIN | EPOLLONESHOT);
    printf("  add it again: %s\n", error_name(-error));
    ask(&w, "it is still disarmed");
    checked(control(&w, EPOLL_CTL_MOD, EPOLLIN | EPOLLONESHOT), "modify");
    ask(&w, "armed again with MOD");
    end(w);
}

int main(int argc, char **argv)
{
    static const command_option options[] = {{.name = NULL}};
    read_command_line(argc, argv, "Compare level-triggered and edge-triggered.", options);
    level();
    edge();
    poll_is_level();
    lost_message();
    lost_client();
    writing();
    oneshot();
    flush_stdout();
    return EXIT_SUCCESS;
}
