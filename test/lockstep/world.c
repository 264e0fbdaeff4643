/* SPDX-License-Identifier: MIT */
/*
 * Files are counted: the last place that loses one ends it, and its other end
 * is closed with it.  Everything is non-blocking and has small buffers, so that
 * whatever happens happens at once.
 */
#include "lockstep/world.h"

#include <selkie.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { PIPE_READER, PIPE_WRITER, UNIX_STREAM, TCP, TCP_FRESH, UDP, EVENTFD };

const char *const kind_names[KINDS] = {
    "pipe_reader", "pipe_writer", "unix_stream", "tcp", "fresh_tcp", "udp", "eventfd",
};

enum { FIRST_PEER = FIRST_NUMBER + PLACES + 100, BUFFER = 4096, MANY_WRITES = 1000 };

typedef struct {
    uint64_t serial; /* 0: unused */
    enum kind kind;
    int peer; /* -1: none, or closed */
    int references;
} file;

/* At the worst each place has a file of its own. */
static file files[PLACES];
static file *places[PLACES];
static uint64_t last_serial;

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    perror(what);
    exit(2);
}

int number_of(int place)
{
    return FIRST_NUMBER + place;
}

static void open_pipe(int pair[2], bool reader)
{
    int ends[2];

    require(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0, "pipe2");
    fcntl(ends[1], F_SETPIPE_SZ, BUFFER);
    pair[0] = ends[reader ? 0 : 1];
    pair[1] = ends[reader ? 1 : 0];
}

static int open_socket(int type)
{
    int size = BUFFER;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    require(fd >= 0, "socket");
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    return fd;
}

static struct sockaddr_in bind_to_loopback(int fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    require(bind(fd, (struct sockaddr *)&address, length) == 0, "bind");
    getsockname(fd, (struct sockaddr *)&address, &length);
    return address;
}

static void connect_to(int fd, const struct sockaddr_in *address)
{
    int error = connect(fd, (const struct sockaddr *)address, sizeof *address);

    require(error == 0, "connect");
}

static void open_tcp(int pair[2])
{
    int listener = open_socket(SOCK_STREAM);
    struct sockaddr_in address = bind_to_loopback(listener);

    require(listen(listener, 1) == 0, "listen");
    pair[0] = open_socket(SOCK_STREAM);
    connect_to(pair[0], &address);
    pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    require(pair[1] >= 0, "accept4");
    close(listener);
}

static void open_udp(int pair[2])
{
    struct sockaddr_in addresses[2];

    for (int i = 0; i < 2; i++) {
        pair[i] = open_socket(SOCK_DGRAM);
        addresses[i] = bind_to_loopback(pair[i]);
    }
    connect_to(pair[0], &addresses[1]);
    connect_to(pair[1], &addresses[0]);
}

static void open_unix(int pair[2])
{
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
}

static void open_kind(enum kind kind, int pair[2])
{
    pair[1] = -1;
    if (kind == PIPE_READER || kind == PIPE_WRITER)
        open_pipe(pair, kind == PIPE_READER);
    else if (kind == UNIX_STREAM)
        open_unix(pair);
    else if (kind == TCP)
        open_tcp(pair);
    else if (kind == TCP_FRESH)
        pair[0] = open_socket(SOCK_STREAM);
    else if (kind == UDP)
        open_udp(pair);
    else
        pair[0] = eventfd(0, EFD_CLOEXEC);
    require(pair[0] >= 0, kind_names[kind]);
}

static file *find_unused(void)
{
    for (int i = 0; i < PLACES; i++)
        if (files[i].serial == 0)
            return &files[i];
    return NULL;
}

static void close_peer(file *file_there)
{
    if (file_there->peer >= 0)
        close(file_there->peer);
    file_there->peer = -1;
}

static void leave(int place)
{
    file *left = places[place];

    places[place] = NULL;
    if (left == NULL || --left->references > 0)
        return;
    close_peer(left);
    left->serial = 0;
}

static void enter(int place, file *entered)
{
    places[place] = entered;
    entered->references++;
}

static void set_nonblocking(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void open_at(int place, int kind)
{
    file *opened;
    int pair[2];

    leave(place);
    opened = find_unused();
    open_kind((enum kind)kind, pair);
    require(dup3(pair[0], number_of(place), O_CLOEXEC) >= 0, "dup3");
    close(pair[0]);
    set_nonblocking(number_of(place));
    *opened = (file){.serial = ++last_serial, .kind = (enum kind)kind, .peer = -1};
    if (pair[1] >= 0) {
        opened->peer = fcntl(pair[1], F_DUPFD_CLOEXEC, FIRST_PEER);
        require(opened->peer >= 0, "F_DUPFD");
        close(pair[1]);
        set_nonblocking(opened->peer);
    }
    enter(place, opened);
}

void close_at(int place)
{
    close(number_of(place));
    leave(place);
}

void duplicate(int from, int to)
{
    file *shared = places[from];

    if (from == to)
        return;
    shared->references++; /* leaving must not end it */
    leave(to);
    shared->references--;
    require(dup3(number_of(from), number_of(to), O_CLOEXEC) >= 0, "dup3");
    enter(to, shared);
}

void close_everything(void)
{
    for (int place = 0; place < PLACES; place++)
        if (places[place] != NULL)
            close_at(place);
}

uint64_t file_at(int place)
{
    return places[place] != NULL ? places[place]->serial : 0;
}

identity identify(int place)
{
    struct stat status;

    require(fstat(number_of(place), &status) == 0, "fstat");
    return (identity){status.st_dev, status.st_ino};
}

bool stands_for(int place, identity known)
{
    identity now;

    if (file_at(place) == 0)
        return false;
    now = identify(place);
    return now.device == known.device && now.inode == known.inode;
}

static void write_some(int fd, size_t length)
{
    static const char zeros[BUFFER] = {0};

    if (write(fd, zeros, length) < 0)
        return;
}

static void add_to_eventfd(int fd, uint64_t value)
{
    if (write(fd, &value, sizeof value) < 0)
        return;
}

static void read_all(int fd)
{
    char bytes[BUFFER];

    for (int i = 0; i < MANY_WRITES; i++)
        if (read(fd, bytes, sizeof bytes) <= 0)
            return;
}

static void peer_writes(int place)
{
    if (places[place]->kind == EVENTFD)
        add_to_eventfd(number_of(place), 1);
    else
        write_some(places[place]->peer, 1);
}

static void it_reads_all(int place)
{
    read_all(number_of(place));
}

static void it_writes(int place)
{
    write_some(number_of(place), 1);
}

static void it_fills(int place)
{
    if (places[place]->kind == EVENTFD) {
        add_to_eventfd(number_of(place), UINT64_MAX - 1);
        return;
    }
    for (int i = 0; i < MANY_WRITES && places[place]->kind != UDP; i++) {
        char zeros[BUFFER] = {0};

        if (write(number_of(place), zeros, sizeof zeros) < 0)
            return;
    }
}

static void peer_reads_all(int place)
{
    read_all(places[place]->peer);
}

static void it_shuts_down(int place)
{
    shutdown(number_of(place), SHUT_RDWR);
}

static void it_shuts_down_writing(int place)
{
    shutdown(number_of(place), SHUT_WR);
}

static void peer_shuts_down_writing(int place)
{
    shutdown(places[place]->peer, SHUT_WR);
}

static void peer_closes(int place)
{
    close_peer(places[place]);
}

static void peer_resets(int place)
{
    const struct linger at_once = {.l_onoff = 1};

    setsockopt(places[place]->peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close_peer(places[place]);
}

static void peer_sends_an_urgent_byte(int place)
{
    send(places[place]->peer, "!", 1, MSG_OOB | MSG_DONTWAIT);
}

const happening happenings[HAPPENINGS] = {
    {"peer_writes", peer_writes},
    {"read_all", it_reads_all},
    {"write_byte", it_writes},
    {"fill", it_fills},
    {"peer_reads_all", peer_reads_all},
    {"shutdown_both", it_shuts_down},
    {"shutdown_writing", it_shuts_down_writing},
    {"peer_shuts_down_writing", peer_shuts_down_writing},
    {"peer_closes", peer_closes},
    {"peer_resets", peer_resets},
    {"peer_sends_urgent_byte", peer_sends_an_urgent_byte},
};

void take_view(view *ret_view)
{
    struct pollfd fds[PLACES];

    for (int place = 0; place < PLACES; place++) {
        fds[place].fd = places[place] != NULL ? number_of(place) : -1;
        fds[place].events = POLLIN | POLLOUT | POLLPRI;
        fds[place].revents = 0;
    }
    require(poll(fds, PLACES, 0) >= 0, "poll");
    for (int place = 0; place < PLACES; place++)
        ret_view->revents[place] = fds[place].revents;
}

int ready_by_poll(short revents)
{
    if (revents & (POLLHUP | POLLERR))
        return SEL_EVENT_READ | SEL_EVENT_WRITE | SEL_EVENT_EXCEPT;
    return (revents & POLLIN ? SEL_EVENT_READ : 0) |
           (revents & POLLOUT ? SEL_EVENT_WRITE : 0) |
           (revents & POLLPRI ? SEL_EVENT_EXCEPT : 0);
}
