/* SPDX-License-Identifier: MIT */
/*
 * The command line and the sockets of the servers here.
 *
 * Nothing in this file waits, except getaddrinfo(), and nothing keeps state.
 */
#include "kit/listen.h"
#include "kit/command_line.h"

#include <selkie.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    THREADS_MAX = 64,
    ACCEPTS_PER_PASS = 16, /* so that a rush of new clients leaves the others a turn */
};
const double PAUSE_SECONDS = 0.1;

void parse_options(int argc, char **argv, server_options *options)
{
    int port;
    command_option table[OPTIONS_MAX] = {
        {"host", 'H', "HOST", "the name or address to listen on (127.0.0.1)",
         .text = &options->host},
        {"port", 'p', "PORT", "the port; 0 picks a free one (1234)",
         .text = &options->port, .number = &port, .highest = 65535},
        {"backlog", 'b', "N", "how many clients may wait to be accepted (4096)",
         .number = &options->backlog, .lowest = 1, .highest = 65535},
    };
    command_option *next = table + 3;
    if (options->takes_timeout)
        *next++ = (command_option){"timeout", 't', "SECONDS",
                                   "end after SECONDS without activity (never)",
                                   .seconds = &options->timeout};
    if (options->takes_threads)
        *next++ = (command_option){"threads", 'T', "N",
                                   "how many threads, each with a reactor (1)",
                                   .number = &options->threads, .lowest = 1,
                                   .highest = THREADS_MAX};
    if (options->takes_status)
        *next++ = (command_option){"status", 's', NULL,
                                   "show on the terminal what is going on",
                                   .flag = &options->status};
    *next = (command_option){"verbose", 'v', NULL, "report on stderr who comes and goes",
                             .flag = &options->verbose};

    /* The defaults that --help shows. */
    options->host = "127.0.0.1";
    options->port = "1234";
    options->backlog = 4096;
    options->timeout = SEL_FOREVER;
    options->threads = 1;
    read_command_line(argc, argv, options->purpose, table);
}

/* Returns the socket or a negative errno. */
static int listen_on(const struct addrinfo *address, const server_options *options)
{
    const int on = 1;
    int type = address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(address->ai_family, type, address->ai_protocol);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (options->threads > 1)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    /*
     * Accepted sockets inherit it: an echo must not be held back until there is more to
     * send.
     */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 &&
        listen(fd, options->backlog) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

int open_listener(const server_options *options)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    int unknown = getaddrinfo(options->host, options->port, &hints, &addresses);
    if (unknown != 0)
        fail(EXIT_FAILURE, "cannot listen on %s port %s: %s", options->host,
             options->port, gai_strerror(unknown));
    /* The first address that this machine has; if its port is taken, no other is tried. */
    int fd = -EADDRNOTAVAIL;
    for (struct addrinfo *a = addresses; a != NULL && fd < 0; a = a->ai_next) {
        fd = listen_on(a, options);
        if (fd == -EADDRINUSE)
            break;
    }
    freeaddrinfo(addresses);
    if (fd < 0)
        fail(EXIT_FAILURE, "cannot listen on %s port %s: %s", options->host,
             options->port, strerror(-fd));
    return fd;
}

int open_sibling(int listener, const server_options *options)
{
    struct sockaddr_storage address;
    struct addrinfo where = {.ai_socktype = SOCK_STREAM,
                             .ai_addr = (struct sockaddr *)&address,
                             .ai_addrlen = sizeof address};
    if (getsockname(listener, where.ai_addr, &where.ai_addrlen) < 0)
        fail(EXIT_FAILURE, "getsockname: %s", strerror(errno));
    where.ai_family = address.ss_family;
    int fd = listen_on(&where, options);
    if (fd < 0)
        fail(EXIT_FAILURE, "cannot listen again: %s", strerror(-fd));
    return fd;
}

/* Where a socket listens, as two strings. */
static bool find_address(int listener, char host[NI_MAXHOST], char port[NI_MAXSERV])
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(listener, (struct sockaddr *)&address, &size) < 0)
        fail(EXIT_FAILURE, "getsockname: %s", strerror(errno));
    int error = getnameinfo((struct sockaddr *)&address, size, host, NI_MAXHOST, port,
                            NI_MAXSERV, NI_NUMERICHOST | NI_NUMERICSERV);
    if (error != 0)
        fail(EXIT_FAILURE, "getnameinfo: %s", gai_strerror(error));
    return address.ss_family == AF_INET6;
}

void name_listening(int listener, char *address, size_t size)
{
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    bool ipv6 = find_address(listener, host, port);
    snprintf(address, size, ipv6 ? "[%s]:%s" : "%s:%s", host, port);
}

void print_listening(int listener)
{
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    bool ipv6 = find_address(listener, host, port);
    printf(ipv6 ? "listening on [%s]:%s\n" : "listening on %s:%s\n", host, port);
    printf("try: nc %s %s\n", host, port);
    flush_stdout();
}

int open_reserve(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int accept_now(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

static int turn_away(int listener, int *reserve)
{
    if (*reserve >= 0)
        close(*reserve);
    int fd = accept_now(listener);
    if (fd >= 0)
        close(fd);
    *reserve = open_reserve();
    return fd >= 0 ? -EMFILE : fd == -EMFILE ? -ENFILE : fd;
}

int accept_client(int listener, int *reserve)
{
    int fd = accept_now(listener);
    switch (fd) {
    case -EMFILE:
    case -ENFILE:
        return turn_away(listener, reserve);
    /* What accept(2) returns for a client whose network failed before it was accepted. */
    case -EINTR:
    case -ENETDOWN:
    case -EPROTO:
    case -ENOPROTOOPT:
    case -EHOSTDOWN:
    case -ENONET:
    case -EHOSTUNREACH:
    case -EOPNOTSUPP:
    case -ENETUNREACH:
    case -EPERM: /* a firewall rule */
        return -ECONNABORTED;
    default:
        return fd;
    }
}

int accept_clients(int listener, int *reserve, client_adder *add, void *data,
                   bool verbose)
{
    for (int i = 0; i < ACCEPTS_PER_PASS; i++) {
        int fd = accept_client(listener, reserve);
        if (fd >= 0) {
            add(data, fd);
        } else if (fd == -EMFILE) {
            note(verbose, "turned away: %s", sel_strerror(fd));
        } else if (fd == -EAGAIN) {
            return 0;
        } else if (fd != -ECONNABORTED) {
            note(verbose, "cannot accept for now: %s", sel_strerror(fd));
            return fd;
        }
    }
    return 0;
}

bool is_settled(int fd)
{
    int unread = 0, on_the_way = 0;
    return ioctl(fd, FIONREAD, &unread) == 0 && unread == 0 &&
           ioctl(fd, TIOCOUTQ, &on_the_way) == 0 && on_the_way == 0;
}
